# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan pack`: what it says of files that it cannot use, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.commands import SECONDS, environment, only_error
from support.training_images import jpeg
from support.waiting import until

from ffgan.cli import main
from ffgan.dataset.availability import PATIENCE_VARIABLE


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    return folder


def test_broken_files_are_named_with_the_reason(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "cut.jpg").write_bytes(jpeg()[:-200])
    (photos / "page.png").write_bytes(b"<html>")
    assert main(["pack", "photos", "photos.pack"]) == 0
    captured = capsys.readouterr()
    assert "2 broken files skipped, see photos.pack.skipped.log" in captured.out
    cut, page = captured.err.splitlines()
    assert cut == "ffgan: cut.jpg: the file is cut off"
    assert page.startswith("ffgan: page.png: HTML, not a JPEG")
    log = (photos.parent / "photos.pack.skipped.log").read_text()
    assert log.splitlines()[0] == "cut.jpg\tthe file is cut off"

    (photos.parent / "photos.pack").unlink()
    (photos / "cut.jpg").unlink()
    assert main(["pack", "photos", "photos.pack"]) == 0
    assert "cut.jpg" not in (photos.parent / "photos.pack.skipped.log").read_text()


def test_a_folder_of_broken_files_alone_is_refused_without_a_file(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in photos.iterdir():
        path.write_bytes(b"broken")
    assert main(["pack", "photos", "photos.pack"]) == 2
    line = only_error(capsys)
    assert line.endswith("can be decoded; photos.pack.skipped.log says why")
    assert sorted(os.listdir()) == ["photos", "photos.pack.skipped.log"]


def test_a_good_folder_leaves_no_log(photos: Path) -> None:
    assert main(["pack", "photos", "photos.pack"]) == 0
    assert sorted(os.listdir()) == ["photos", "photos.pack"]


def test_an_archive_that_is_not_read_is_to_be_unpacked(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos.parent / "photos.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    assert main(["pack", "photos.7z", "photos.pack"]) == 2
    line = only_error(capsys)
    assert line.endswith("is an archive (7z): unpack it, and give the folder that comes out")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_waiting_for_a_drive_and_leaves_nothing(
    photos: Path, number: signal.Signals, status: int
) -> None:
    program = f"""
import os, sys
from ffgan import cli, dataset
from ffgan.dataset import dataset as module
walked = module.ImageFiles.__init__
def walk(self, *arguments, **options):
    walked(self, *arguments, **options)
    os.rename({str(photos)!r}, {str(photos.parent / "away")!r})
module.ImageFiles.__init__ = walk
sys.exit(cli.main(["pack", "photos", "photos.pack"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment() | {PATIENCE_VARIABLE: "300"},
        cwd=photos.parent,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: (photos.parent / "away").exists())
    assert process.stderr is not None
    assert "cannot read" in process.stderr.readline()
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert process.returncode == status
    assert time.monotonic() - began < 10
    assert sorted(os.listdir()) == ["away"]
