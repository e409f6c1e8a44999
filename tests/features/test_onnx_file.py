# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.evaluation import patches

import ffgan
from ffgan import features, images
from ffgan.cli import program as cli
from ffgan.errors import ModelError, UsageError


def evaluate(*arguments: object) -> int:
    return cli.main(["evaluate", *map(str, arguments)])


def a_network(path: Path, *, planar: bool, side: int | str = 60, last: int = 5) -> Path:
    """Two convolutions: `fine` has places, `features` are averages of the next one's."""
    onnx = pytest.importorskip("onnx")
    helper, to_array = onnx.helper, onnx.numpy_helper.from_array
    random = np.random.default_rng(3)
    weights = {
        "one": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "two": random.standard_normal((last, 4, 1, 1)).astype(np.float32),
        "scale": np.float32(255),
    }
    nodes = [helper.make_node("Conv", ["x", "one"], ["fine"], pads=[1, 1, 1, 1])]
    nodes += [helper.make_node("Conv", ["fine", "two"], ["coarse"])]
    nodes += [helper.make_node("GlobalAveragePool", ["coarse"], ["pool"])]
    nodes += [helper.make_node("Flatten", ["pool"], ["features"])]
    kind, shape = onnx.TensorProto.FLOAT, ["n", 3, side, side]
    if not planar:
        before = [("Cast", ["images"], ["f"], {"to": kind}), ("Div", ["f", "scale"], ["unit"], {})]
        before += [("Transpose", ["unit"], ["x"], {"perm": [0, 3, 1, 2]})]
        nodes = [helper.make_node(t, i, o, **more) for t, i, o, more in before] + nodes
        kind, shape = onnx.TensorProto.UINT8, ["n", side, side, 3]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x" if planar else "images", kind, shape)],
        [helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, ["n", last])],
        [to_array(array, name) for name, array in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path
    )
    return path


def test_a_damaged_file_is_one_error_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    path = a_network(tmp_path / "damaged.onnx", planar=True)
    path.write_bytes(path.read_bytes().replace(b"GlobalAveragePool", b"GlobalAveragePoo\xff"))
    with pytest.raises(ModelError, match=r"damaged\.onnx is no ONNX file that can be used"):
        features.load(str(path))
    assert capfd.readouterr().out == ""


def test_a_network_of_ones_own_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    planar = a_network(tmp_path / "planar.onnx", planar=True)
    pixels = a_network(tmp_path / "pixels.onnx", planar=False)
    as_it_is = a_network(tmp_path / "any.onnx", planar=True, side="h")
    some = ffgan.generate(16, seed=1000, tries=1)
    network = features.load(str(planar))
    found = network.extract(some)
    assert found.shape == (16, 5)
    np.testing.assert_allclose(features.load(str(pixels)).extract(some), found, rtol=1e-4)
    small = np.stack([cv2.resize(image, (60, 60), interpolation=cv2.INTER_AREA) for image in some])
    resized = features.load(str(as_it_is)).extract(small)
    np.testing.assert_allclose(found, resized, rtol=1e-3, atol=1e-3 * np.abs(found).max())
    # A tensor inside of the network, averaged over its places.
    fine = features.load(f"{planar}:fine")
    assert fine.extract(some).shape == (16, 4)
    assert network.extract(some[:0]).shape == (0, 5)
    assert "fine" in fine.description
    assert "planar.onnx" in fine.description

    folder = tmp_path / "real"
    folder.mkdir()
    for number, image in enumerate(some):
        (folder / f"{number}.png").write_bytes(images.encode(image, "png"))
    with patches():
        code = evaluate("--real", folder, "--samples", 16, "--features", f"{planar}:fine", "--json")
    assert code == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["measured_with"]["network"] == fine.description
    assert figures["frechet_distance"] > 0


def test_a_network_that_cannot_measure_is_named(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    good = a_network(tmp_path / "good.onnx", planar=True)
    (tmp_path / "text.onnx").write_text("no network")
    flat = a_network(tmp_path / "flat.onnx", planar=True)
    model = onnx.load(flat)
    model.graph.output[0].name = "missing"
    onnx.save(model, tmp_path / "broken.onnx")
    model = onnx.load(flat)
    model.graph.input.append(
        onnx.helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, [1])
    )
    onnx.save(model, tmp_path / "two.onnx")
    model = onnx.load(flat)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(model, tmp_path / "four.onnx")
    model = onnx.load(flat)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 61
    onnx.save(model, tmp_path / "oblong.onnx")
    for name, message in (
        ("absent.onnx", r"absent\.onnx cannot be read: No such file"),
        ("text.onnx", r"text\.onnx is no ONNX file that can be used"),
        ("broken.onnx", r"broken\.onnx is no ONNX file that can be used"),
        ("two.onnx", "has 2 inputs"),
        ("four.onnx", "takes 4 images at once"),
        ("oblong.onnx", "neither square images"),
        ("good.onnx:nothing", "has no tensor 'nothing'"),
    ):
        with pytest.raises(ModelError, match=message):
            features.load(str(tmp_path / name))
    with pytest.raises(UsageError, match=r"give one of imagenet, faces, or a FILE\.onnx"):
        features.load(f"{good}x")
