# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/match_borders.py: a generator gets the borders of images and stays as it is elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ffgan.evaluation import borders
from ffgan.model import Model, by_network, save_model
from ffgan.typing import RGB

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[oracle]'")

pytestmark = pytest.mark.slow

FACES = 48


@pytest.fixture(scope="module")
def faces() -> RGB:
    return Model.load().render(Model.load().latents(FACES, seed=5))


def test_generator_in_pytorch_draws_the_same_faces(load_tool, faces) -> None:
    model = Model.load()
    tool = load_tool("match_borders")
    parameters = {
        name: torch.from_numpy(np.array(values, np.float32))
        for name, values in by_network(model.parameters)["generator"].items()
    }
    drawn = tool.generate(parameters, torch.from_numpy(model.latents(FACES, seed=5)[:4]))
    expected = tool.pixels(faces[:4])
    assert (drawn - expected).abs().max() < 1 / 255


def test_differences_are_those_that_evaluate_tells_and_signed_ones(load_tool) -> None:
    tool = load_tool("match_borders")
    random = np.random.default_rng(6)
    images = random.integers(0, 256, (3, 40, 30, 3), dtype=np.uint8)
    lengths, signed = tool.differences(tool.pixels(images))
    assert lengths.shape == (3, 4, 8, 2) and signed.shape == (3, 4, 8, 1)
    told = borders.differences(images)
    luma = 255 * lengths[0, :, : borders.PLACES].permute(2, 0, 1).numpy()
    np.testing.assert_allclose(luma, told, atol=1)  # a length is up to E shorter
    y = images.astype(float) @ [0.299, 0.587, 0.114]
    expected = (y[:, :, -3] - y[:, :, -2]).mean() / 255  # the right side's second place
    np.testing.assert_allclose(signed[0, 3, 1, 0], expected, atol=1e-6)


def test_borders_come_nearer_to_those_of_the_images_and_the_rest_stays(
    load_tool, faces, capsys, monkeypatch, tmp_path: Path
) -> None:
    tool = load_tool("match_borders")
    monkeypatch.setattr(tool, "MEASURED", FACES)
    framed = faces.copy()
    framed[:, :3] = framed[:, 3:4]
    model = Model.load()
    real = tool.differences(tool.pixels(framed))
    generator = tool.learnt(model, real, steps=30, batch=4, rate=1e-4, weight=20.0)
    measures = [float(line.split()[3].rstrip(",")) for line in capsys.readouterr().out.splitlines()]
    assert measures[-1] < 0.8 * measures[0]
    path = tmp_path / "new.safetensors"
    save_model(path, generator, by_network(model.parameters)["discriminator"], {})
    new = Model.load(path).render(model.latents(FACES, seed=5))

    def top(images: RGB) -> np.ndarray:
        return borders.differences(images)[0, 0, :2]

    assert (np.abs(top(new) - top(framed)) < 0.8 * np.abs(top(faces) - top(framed))).all()
    inner = new[:, 20:-20, 20:-20].astype(float) - faces[:, 20:-20, 20:-20]
    assert 0 < np.sqrt(np.square(inner).mean()) < 5
    for name in ("norm1.running_mean", "norm5.running_var"):
        old = by_network(model.parameters)["generator"][name]
        np.testing.assert_array_equal(generator[name], old)


def test_tool_writes_a_model_that_says_so(run_tool, faces, tmp_path: Path, monkeypatch) -> None:
    for number, face in enumerate(faces[:8]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), face[..., ::-1])
    path = Model.load().save(tmp_path / "model.safetensors")
    out = tmp_path / "new.safetensors"
    done = run_tool("match_borders", path, tmp_path, "--steps", 1, "--batch", 2, "--out", out)
    assert done.code == 0 and str(out) in done.out
    new = Model.load(out)
    assert json.loads(new.metadata["matched_borders"])["steps"] == 1
    assert "attributes" not in new.metadata, "what was fitted to the old generator is refused"
    assert new.metadata["threshold"] == Model.load().metadata["threshold"]
    np.testing.assert_array_equal(
        new.parameters["discriminator.fc.weight"],
        Model.load().parameters["discriminator.fc.weight"],
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--steps", 0), "--steps 0 must be more than 0"),
        (("--rate", "-1"), "--rate -1 must be more than 0"),
        ((), "no image in"),
    ],
)
def test_wrong_uses_get_one_line(run_tool, tmp_path: Path, arguments, says: str) -> None:
    path = Model.load().save(tmp_path / "model.safetensors")
    folder = tmp_path / "none"
    folder.mkdir()
    done = run_tool("match_borders", path, folder, *arguments, "--out", tmp_path / "new")
    assert done.code == 1 and says in done.error and done.error.count("\n") == 1
    assert not (tmp_path / "new").exists()
