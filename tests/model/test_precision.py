# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in bf16: near those in float32, the same every time, and never taken for them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.instruction_sets import COMPILED, needs_bf16

import ffgan
from ffgan import _core, cli, images
from ffgan.errors import InstructionSetError, UsageError
from ffgan.model import Model
from ffgan.server import Settings
from ffgan.server.app import loader


@pytest.fixture(scope="module")
def rounded() -> Model:
    return ffgan.load(precision="bf16")


@needs_bf16
def test_faces_are_near_those_of_float32(rounded: Model) -> None:
    exact = ffgan.load()
    latents = exact.latents(16, 0)
    difference = rounded.render(latents).astype(int) - exact.render(latents)
    assert 0 < np.sqrt(np.mean(np.square(difference))) < 1  # of 255 levels
    assert abs(difference).max() < 30
    face = exact.generate(1, 3)
    assert np.array_equal(rounded.score(face), exact.score(face))


@needs_bf16
def test_a_face_has_the_same_bytes_in_every_batch(rounded: Model) -> None:
    latents = rounded.latents(21, 5)
    together = rounded.render(latents)
    for begin, end in ((0, 1), (1, 4), (4, 21)):
        assert np.array_equal(rounded.render(latents[begin:end]), together[begin:end])
    assert np.array_equal(ffgan.load(precision="bf16").render(latents), together)
    copy = pickle.loads(pickle.dumps(rounded))
    assert copy.precision == "bf16"
    assert np.array_equal(copy.render(latents), together)


@needs_bf16
def test_files_say_it(rounded: Model, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    options = ["--seed", "3", "--no-window", "--out", str(path), "--precision", "bf16"]
    subprocess.run([sys.executable, "-m", "ffgan", "gen", "1", *options], check=True)
    data = path.read_bytes()
    about = images.read_metadata(data)
    assert (about["model"], about["precision"]) == (rounded.hash, "bf16")
    assert "precision" not in ffgan.load().origin
    assert np.array_equal(images.decode(data), rounded.generate(1, 3)[0])


@needs_bf16
def test_a_data_set_says_it(rounded: Model, tmp_path: Path) -> None:
    arguments = ["1", "--count", "1", "--attributes", "none", "--precision", "bf16"]
    assert cli.main(["dataset", str(tmp_path / arguments[0]), *arguments[1:]]) == 0
    (picture,) = tmp_path.rglob("*.jpg")
    assert images.read_metadata(picture.read_bytes())["precision"] == "bf16"
    card = (tmp_path / "1" / "README.md").read_text()
    assert f"SHA-256 `{rounded.hash}`, computed in bf16" in card
    assert cli.main(["dataset", str(tmp_path / "1"), *arguments[1:-2]]) == 2  # other bytes


@needs_bf16
def test_the_server_loads_a_file_in_the_precision_of_its_settings() -> None:
    assert loader(None, Settings(precision="bf16"))().precision == "bf16"
    assert loader(None, Settings())().precision == "float32"


def test_another_precision_is_refused() -> None:
    wrong: Any = "float64"
    with pytest.raises(UsageError, match=r"'float64'.*float32 or bf16"):
        ffgan.load(precision=wrong)


def test_where_it_cannot_be_computed_it_is_refused_in_a_line() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ffgan", "gen", "1", "--precision", "bf16", "--out", os.devnull],
        env={**os.environ, "FFGAN_ISA": COMPILED[-1]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert "bf16 needs" in line
    assert line.endswith("choose float32")


def test_what_the_engine_says_is_so() -> None:
    if _core.engine()["bf16"]:
        assert ffgan.load(precision="bf16").precision == "bf16"
    else:
        with pytest.raises(InstructionSetError, match="bf16 needs"):
            ffgan.load(precision="bf16")
