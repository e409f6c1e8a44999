# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents in files: read back exactly, from the forms that there are, and bad files refused."""

from __future__ import annotations

import json
import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ffgan import Model, images
from ffgan.errors import Error, UsageError
from ffgan.latent import noise
from ffgan.projection import load_latent, save_latent
from ffgan.projection.latent_file import latent_text
from ffgan.typing import Float64

LATENT = noise(3)


def test_a_saved_latent_is_read_back_exactly(tmp_path: Path) -> None:
    save_latent(tmp_path / "face.json", LATENT, "0123", seconds=1.5)
    assert np.array_equal(load_latent(tmp_path / "face.json"), LATENT)
    content = json.loads((tmp_path / "face.json").read_text())
    assert content["model"] == "0123" and content["seconds"] == 1.5


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_picture_holds_its_latent(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"face.{suffix}"
    picture = np.zeros((16, 16, 3), np.uint8)
    images.save(path, picture, {"latent": latent_text(LATENT, "0123")})
    assert np.array_equal(load_latent(path), LATENT)
    images.save(path, picture, {"seed": "1"})
    with pytest.raises(UsageError, match="a picture without a latent"):
        load_latent(path)


@pytest.mark.parametrize("shape", [(100,), (1, 100)])
def test_a_numpy_file_is_a_latent(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "z.npy", LATENT.astype(np.float64).reshape(shape))
    assert np.array_equal(load_latent(tmp_path / "z.npy"), LATENT)


def test_a_latent_of_another_model_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = Model.load()
    save_latent(tmp_path / "own.json", LATENT, model)
    save_latent(tmp_path / "other.json", LATENT, "f" * 64)
    with caplog.at_level(logging.WARNING, "ffgan.projection"):
        load_latent(tmp_path / "own.json", model)
        assert not caplog.messages
        load_latent(tmp_path / "other.json", model)
    assert caplog.messages == [
        f"{tmp_path / 'other.json'}: the latent is of the model 'ffffffffffff', "
        f"not of {model.hash[:12]}"
    ]


BAD = {
    "nothing": b"",
    "text": b"a face",
    "other": b'{"seed": 1}',
    "short": b'{"latents": [[1, 2]]}',
    "ragged": b'{"latents": [[1], [1, 2]]}',
    "words": json.dumps({"latents": [["1"] * 100]}).encode(),
    "true": json.dumps({"latents": [[True] * 100]}).encode(),
    "large": json.dumps({"latents": [[1e30] * 100]}).encode(),
    "nan": b'{"latents": [[' + b"NaN," * 99 + b"NaN]]}",
    "huge": b'{"latents": [[' + b"1" * 400 + b",1" * 99 + b"]]}",
    "deep": b'{"latents": ' + b"[" * 100_000,
    "binary": bytes(range(256)),
    "pickle": b"\x93NUMPY\x01\x00",
    "parser": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', (\0".ljust(118) + bytes(400),
    "size": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, "
    b"'shape': (9999999999999,), }".ljust(127)
    + b"\n",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_latent_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(BAD[name])
    with pytest.raises(UsageError) as refused:
        load_latent(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_several_latents_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "two.json").write_text(json.dumps({"latents": [LATENT.tolist()] * 2}))
    with pytest.raises(UsageError, match="has 2 latents"):
        load_latent(tmp_path / "two.json")
    with pytest.raises(Error, match=r"cannot read .*none: No such file"):
        load_latent(tmp_path / "none")
    with pytest.raises(Error, match=r"cannot write .*face\.json"):
        save_latent(tmp_path / "away" / "face.json", LATENT, "0123")


@pytest.mark.parametrize("latent", [np.zeros(99), np.full(100, np.nan), np.full(100, 101.0)])
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, latent: Float64) -> None:
    with pytest.raises(UsageError, match=r"no latent to write .* 100 numbers from -100 to 100"):
        save_latent(tmp_path / "face.json", latent.astype(np.float32), "0123")
    assert not list(tmp_path.iterdir())


def test_what_a_file_says_of_its_model_cannot_steer_a_terminal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_latent(tmp_path / "face.json", LATENT, "a\n\x1b[31m")
    load_latent(tmp_path / "face.json", Model.load())
    (message,) = caplog.messages
    assert message.isprintable()


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    save_latent(tmp_path / "face.json", LATENT, "0123")
    tracemalloc.start()
    try:
        load_latent(tmp_path / "face.json")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
