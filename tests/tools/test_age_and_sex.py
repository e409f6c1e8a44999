# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/age_and_sex.py, with networks made here in the format of the real one's files."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ffgan import images
from ffgan.errors import ModelError


@pytest.fixture(scope="module")
def tool(load_tool) -> ModuleType:
    return load_tool("age_and_sex")


def separable(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}/depthwise_filter": (3, 3, inputs, 1),
        f"{name}/pointwise_filter": (1, 1, inputs, outputs),
        f"{name}/bias": (outputs,),
    }


def shapes() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "entry_flow/conv_in/filters": (3, 3, 3, 32),
        "entry_flow/conv_in/bias": (32,),
    }
    for block, inputs, outputs in (
        ("entry_flow/reduction_block_0", 32, 64),
        ("entry_flow/reduction_block_1", 64, 128),
        ("exit_flow/reduction_block", 128, 256),
    ):
        found |= separable(f"{block}/separable_conv0", inputs, outputs)
        found |= separable(f"{block}/separable_conv1", outputs, outputs)
        found[f"{block}/expansion_conv/filters"] = (1, 1, inputs, outputs)
        found[f"{block}/expansion_conv/bias"] = (outputs,)
    for block, i in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)):
        found |= separable(f"middle_flow/main_block_{block}/separable_conv{i}", 128, 128)
    found |= separable("exit_flow/separable_conv", 256, 512)
    return found | {
        "fc/age/weights": (512, 1),
        "fc/age/bias": (1,),
        "fc/gender/weights": (512, 2),
        "fc/gender/bias": (2,),
    }


def write(folder: Path, values: dict[str, float]) -> Path:
    """A network whose parameters are all as `values` says, or 0; the filters are in bytes."""
    folder.mkdir()
    weights, content = [], b""
    for name, shape in shapes().items():
        value = values.get(name, 0.0)
        entry = {"name": name, "shape": shape, "dtype": "float32"}
        if "bias" in name:
            content += np.full(shape, value, np.float32).tobytes()
        else:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.5, "min": value - 1.5}
            content += np.full(shape, 3, np.uint8).tobytes()
        weights.append(entry)
    (folder / "age_gender_model.bin").write_bytes(content)
    manifest = [{"weights": weights, "paths": ["age_gender_model.bin"]}]
    (folder / "age_gender_model-weights_manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("stride", [1, 2])
def test_windows_are_tensorflows(tool: ModuleType, stride: int) -> None:
    draw = np.random.default_rng(0)
    x, kernel = draw.normal(size=(2, 8, 6, 3)), draw.normal(size=(3, 3, 3, 4))
    found = sum(part @ kernel[i, j] for i, j, part in tool.windows(x, stride))
    # SAME: as much padding as the last window needs, the odd one of it behind.
    for row in range(8 // stride):
        for column in range(6 // stride):
            expected = np.zeros((2, 4))
            for i in range(3):
                for j in range(3):
                    r, c = row * stride + i - (2 - stride), column * stride + j - (2 - stride)
                    if 0 <= r < 8 and 0 <= c < 6:
                        expected += x[:, r, c] @ kernel[i, j]
            np.testing.assert_allclose(found[:, row, column], expected)


def test_all_that_is_seen_ends_in_age_and_sex(tool: ModuleType, tmp_path: Path) -> None:
    brightness = "entry_flow/conv_in/filters"
    skips = [name for name in shapes() if "expansion_conv/filters" in name]
    last = "exit_flow/separable_conv"
    values = {brightness: 0.01, f"{last}/depthwise_filter": 0.1, f"{last}/pointwise_filter": 0.01}
    values |= dict.fromkeys(skips, 0.01)
    values |= {"fc/age/weights": 0.1, "fc/age/bias": 20.0, "fc/gender/bias": 1.0}
    network = tool.AgeAndSex(tool.read_network(write(tmp_path / "network", values)))
    grey = np.stack([np.full((162, 162, 3), level, np.uint8) for level in (0, 150, 250)])
    ages, women = network(grey)
    assert ages[0] == 20.0  # darker than the mean, so that the first relu leaves nothing
    assert 20.0 < ages[1] < ages[2]
    assert not women.any()  # of equals the first one


def test_shares_are_printed(run_tool, tmp_path: Path) -> None:
    network = write(tmp_path / "network", {"fc/age/bias": 34.5})
    faces = tmp_path / "faces"
    faces.mkdir()
    draw = np.random.default_rng(1)
    for i in range(60):
        picture = draw.integers(0, 256, (162, 162, 3), dtype=np.uint8)
        (faces / f"{i}.png").write_bytes(images.encode(picture, "png"))
    done = run_tool("age_and_sex", network, "--real", faces, "--samples", 60)
    assert done.code == 0, done.error
    lines = [line.rsplit(None, 2) for line in done.out.splitlines()]
    rows = {name.strip(): values for name, *values in lines[:-1]}
    assert rows["look like women"] == ["0.000", "0.000"]
    assert rows["age, median"] == ["34.5", "34.5"]
    assert rows["from 30 to 39"] == ["1.000", "1.000"]
    assert rows["from 60"] == ["0.000", "0.000"]
    assert done.out.splitlines()[-1] == "of 60 and 60 faces"


def test_a_missing_network_is_named(run_tool, tmp_path: Path) -> None:
    done = run_tool("age_and_sex", tmp_path, "--real", tmp_path)
    assert done.code == 1
    manifest = tmp_path / "age_gender_model-weights_manifest.json"
    assert done.error == f"error: {manifest} cannot be read: No such file or directory\n"


@pytest.mark.parametrize("manifest", ["{", "[]", "[3]", '[{"paths": []}]'])
def test_a_file_that_is_no_network_is_named(
    tool: ModuleType, tmp_path: Path, manifest: str
) -> None:
    (tmp_path / "age_gender_model-weights_manifest.json").write_text(manifest)
    with pytest.raises(ModelError, match="does not hold face-api's network"):
        tool.read_network(tmp_path)


def test_a_network_that_is_cut_off_is_named(tool: ModuleType, tmp_path: Path) -> None:
    folder = write(tmp_path / "network", {})
    path = folder / "age_gender_model.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="does not hold face-api's network"):
        tool.read_network(folder)
