# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan project`: its files, what it prints, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.commands import environment, only_error

from ffgan import Model, cli, images
from ffgan.latent import noise
from ffgan.projection import load_latent


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("face") / "face.png"
    images.save(path, Model.load().render(noise(3)[None])[0])
    return path


def test_it_writes_the_face_and_its_latent(
    face: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(["project", str(face), "--out", str(out), "--steps", "1", "--beside"]) == 0
    picture, latent = out / "face-projected.png", out / "face-projected.json"
    printed = capsys.readouterr().out
    assert printed.startswith("pyramid ") and f"{picture}, {latent}" in printed
    found = load_latent(latent)
    assert np.array_equal(found, load_latent(picture))
    both = images.decode(picture.read_bytes())
    assert np.array_equal(both[:, :162], images.decode(face.read_bytes()))
    assert np.array_equal(both[:, 162:], Model.load().render(found[None])[0])
    assert images.read_metadata(picture)["software"] == "ffgan"


def test_bad_input_is_one_line(
    face: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["project", str(tmp_path / "none.jpg")]) == 1
    assert "cannot read" in only_error(capsys)
    assert cli.main(["project", str(face), "--out", "face.gif"]) == 2
    assert "ends in .png, .jpg or .webp" in only_error(capsys)
    assert cli.main(["project", str(face), "--out", str(face)]) == 2
    assert "is the photograph itself" in only_error(capsys)
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    # Before the search, which takes long.
    assert cli.main(["project", str(face), "--steps", "10000", "--out", f"{text}/a.png"]) == 2
    assert "text.jpg is not a folder: give another --out" in only_error(capsys)
    assert cli.main(["project", str(text)]) == 2
    assert "text.jpg: text, not a JPEG" in only_error(capsys)


@pytest.mark.slow
def test_an_interrupt_keeps_the_best_so_far(face: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ffgan", "project", str(face), "--steps", "10000"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()  # of the progress, some seconds after the start
    assert "of" in line
    os.kill(process.pid, signal.SIGINT)
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "stopping with the best so far" in rest
    assert load_latent(tmp_path / "face-projected.json").shape == (100,)
