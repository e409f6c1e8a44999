# SPDX-License-Identifier: GPL-3.0-or-later
"""The model file, hostile ones included."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ffgan import storage
from ffgan.errors import ModelError
from ffgan.model import Model


def test_a_saved_model_is_loaded_as_it_was(model: Model, tmp_path: Path) -> None:
    copy = Model.load(model.save(tmp_path / "copy.safetensors"))
    assert copy.hash == model.hash and len(copy.hash) == 64
    assert copy.metadata == model.metadata
    assert copy.dropout == 0.25
    np.testing.assert_array_equal(copy.generate(2, seed=3), model.generate(2, seed=3))
    assert not list(tmp_path.glob(".*")), "a temporary file was left behind"


def test_equal_models_are_equal_files(model: Model, tmp_path: Path) -> None:
    first = model.save(tmp_path / "first.safetensors").read_bytes()
    code = "import sys; from ffgan.model import Model; Model.load(sys.argv[1]).save(sys.argv[2])"
    second = tmp_path / "second.safetensors"  # by a process with another order of chance
    subprocess.run([sys.executable, "-c", code, str(model.path), str(second)], check=True)
    assert second.read_bytes() == first


def test_half_precision_halves_the_file_and_hardly_changes_a_face(
    model: Model, tmp_path: Path
) -> None:
    whole = model.save(tmp_path / "whole.safetensors")
    half = model.save(tmp_path / "half.safetensors", half=True)
    assert half.stat().st_size < 0.51 * whole.stat().st_size
    a = model.render(model.latents(2, seed=1)).astype(int)
    b = Model.load(half).render(model.latents(2, seed=1)).astype(int)
    assert np.abs(a - b).max() <= 2


def refused(path: Path, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        Model.load(path)
    message = str(caught.value)
    assert path.name in message and "\n" not in message


def test_a_missing_model_and_a_folder(tmp_path: Path) -> None:
    refused(tmp_path / "no-such.safetensors", "does not exist")
    refused(tmp_path, "folder")


@pytest.mark.parametrize("size", [0, 5, 8, 100, 1000])
def test_a_truncated_model(model: Model, tmp_path: Path, size: int) -> None:
    assert model.path is not None
    path = tmp_path / "cut.safetensors"
    path.write_bytes(model.path.read_bytes()[:size])
    refused(path, "cut")


def test_a_model_cut_near_its_end(model: Model, tmp_path: Path) -> None:
    assert model.path is not None
    path = tmp_path / "cut.safetensors"
    path.write_bytes(model.path.read_bytes()[:-1])
    refused(path, "damaged")


def test_a_flipped_bit_is_found(model: Model, tmp_path: Path) -> None:
    assert model.path is not None
    data = bytearray(model.path.read_bytes())
    data[-1000] ^= 1
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(data)
    refused(path, "SHA-256")


@pytest.mark.parametrize(
    "start",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 50) + b"[" * 50,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 900_000) + b"[" * 900_000,
        struct.pack("<Q", 20) + b'{"a": "\xff\xfe\xff\xfe\xff"}   ',
        b"\x80\x04\x95 a pickle, say",
    ],
)
def test_a_header_that_is_none(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(start + bytes(64))
    refused(path, "hostile")


def header_of(path: Path, change: dict[str, object]) -> bytes:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.update(change)
    header = {name: entry for name, entry in header.items() if entry is not None}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data[8 + size :]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generator.conv1.weight": None}, "missing"),
        ({"extra": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, "unknown"),
        (
            {
                "generator.conv1.weight": {
                    "dtype": "F32",
                    "shape": [2**40, 512, 4, 4],
                    "data_offsets": [0, 2**50],
                }
            },
            "shape",
        ),
        (
            {
                "generator.conv1.weight": {
                    "dtype": "I8",
                    "shape": [100, 512, 4, 4],
                    "data_offsets": [0, 819200],
                }
            },
            "float",
        ),
        ({"generator.conv1.weight": 7}, "shape"),
        ({"__metadata__": {"format": "ffgan-1", "discriminator": "resnet"}}, "resnet"),
        ({"__metadata__": {"format": "pt"}}, "format"),
        ({"__metadata__": {"format": "ffgan-1", "threshold": "high"}}, "threshold"),
    ],
)
def test_a_header_that_lies(
    model: Model, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    assert model.path is not None
    path = tmp_path / "lying.safetensors"
    path.write_bytes(header_of(model.path, change))
    refused(path, words)


def test_what_is_not_a_model_of_this_version_has_the_right_way_out(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    tensors = {"w": np.zeros(1, np.float32)}
    for metadata, message in (
        ({"checkpoint": "{}"}, "a checkpoint of a training run, no model: give the run's model"),
        ({"format": "ffgan-2"}, "has format ffgan-2, this version reads ffgan-1: update ffgan"),
        ({"format": "other"}, "is not a model of this program"),
    ):
        path.write_bytes(storage.encode_tensors(tensors, metadata))
        with pytest.raises(ModelError, match=message):
            Model.load(path)


def test_parameters_that_are_not_finite(model: Model, tmp_path: Path) -> None:
    assert model.path is not None
    tensors = load_file(model.path)
    tensors["generator.conv2.weight"][0, 0, 0, 0] = np.nan
    path = tmp_path / "nan.safetensors"
    save_file(tensors, path, {"format": "ffgan-1", "discriminator": "program"})
    refused(path, "not finite")


def test_a_model_that_cannot_be_written_leaves_nothing(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        model.save(tmp_path / "missing" / "x.safetensors")
    target = tmp_path / "folder.safetensors"
    target.mkdir()
    with pytest.raises(ModelError, match=r"folder\.safetensors"):
        model.save(target)
    assert list(tmp_path.iterdir()) == [target]


# ---- What the package itself offers ------------------------------------------------------------
