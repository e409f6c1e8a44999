# SPDX-License-Identifier: GPL-3.0-or-later
"""What ffgan writes into the folder it trains on never becomes training images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.training import SHORT, make_images

from ffgan.cli import main
from ffgan.dataset import Dataset
from ffgan.errors import UsageError
from ffgan.model import packaged_model
from ffgan.training import train
from ffgan.training.run_folder import RunFolder, read

MODEL = str(packaged_model())  # the fixture ``small`` hides it


def draw(count: int, *options: str) -> None:
    command = ["gen", str(count), "--seed", "5", "--no-window", "--tries", "1", "--model", MODEL]
    assert main([*command, *options]) == 0


def images_of(run: RunFolder) -> int:
    return int(read(run.paths()[-1]).record["data"]["images"])


def test_a_run_inside_its_images_is_resumed(small, tmp_path, monkeypatch) -> None:
    photos = make_images(tmp_path / "photos")
    monkeypatch.chdir(photos)
    train(".", **SHORT)
    run = RunFolder(photos / "runs" / "photos")
    assert len(list(run.samples.iterdir())) == 2
    train(".", steps=12)
    assert read(run.paths()[-1]).step == 12
    assert images_of(run) == len(list(photos.glob("*.*")))


def test_faces_drawn_into_the_training_folder_do_not_keep_a_run_from_being_resumed(
    small, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    faces = make_images(tmp_path / "faces")
    count = len(list(faces.iterdir()))
    train("faces", **SHORT)
    draw(2, "--out", "faces")
    draw(2, "--out", "faces", "--format", "jpg")
    draw(2, "--grid")
    assert [path.name for path in Path("generated").iterdir()] == ["faces-5-2.png"]
    draw(1, "--out", "faces/me.webp")
    train("faces", steps=12)
    assert images_of(RunFolder("runs/faces")) == count
    assert len(Dataset("faces", include_generated=True)) == count + 5


def test_generated_faces_are_trained_on_when_asked_for(small, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(8)
    train("generated", **SHORT, include_generated=True)
    train("generated", steps=12)
    run = RunFolder("runs/generated")
    assert images_of(run) == 8
    assert not run.skipped.exists()
    with pytest.raises(UsageError, match=r"--include-generated is True in .* choose a new --name"):
        train("generated", steps=16, include_generated=False)


def test_a_run_of_an_earlier_version_goes_on_with_its_generated_faces(
    small, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(8)
    train("generated", **SHORT, include_generated=True)
    run = RunFolder("runs/generated")
    forget_setting(run, "include_generated")
    (Path("generated") / "later.jfif").write_bytes((Path("generated") / "face-5.png").read_bytes())
    train("generated", steps=12)
    assert images_of(run) == 8


def forget_setting(run: RunFolder, name: str) -> None:
    """Make the newest checkpoint one of a version that did not know the setting."""
    from ffgan.training.run_folder import encode

    path = run.paths()[-1]
    checkpoint = read(path)
    del checkpoint.record["settings"][name]
    path.write_bytes(encode(checkpoint))


def test_a_run_that_ate_its_sample_sheets_goes_on_with_them(small, tmp_path, monkeypatch) -> None:
    # As version 0.1 began it: DIR held the sheets of an earlier run.
    photos = make_images(tmp_path / "photos")
    monkeypatch.chdir(photos)
    train(".", **SHORT, name="first")
    (photos / "old").mkdir()
    for sheet in Path("runs/first/samples").iterdir():
        shutil.copy(sheet, photos / "old")
    shutil.rmtree("runs")
    train(".", **SHORT, include_generated=True)
    run = RunFolder(photos / "runs" / "photos")
    forget_setting(run, "include_generated")
    count = images_of(run)
    assert count == len(list(photos.glob("*.*"))) + 2
    shutil.rmtree(run.samples)
    train(".", steps=12)
    assert images_of(run) == count
    settings = json.loads(run.config.read_text())["settings"]
    assert settings["include_generated"] is True
