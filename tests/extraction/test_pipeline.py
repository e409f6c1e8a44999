# SPDX-License-Identifier: GPL-3.0-or-later
"""What `extract` refuses, and what it tells its caller."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

import ffgan
from ffgan import faces
from ffgan.errors import DatasetError, ExtraError, UsageError
from ffgan.extraction import Extracted, extract


def test_folders_that_cannot_be_right_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its faces would be taken for photographs"):
        extract(photos, photos / "faces")
    with pytest.raises(DatasetError, match="no such folder"):
        extract(tmp_path / "nowhere", tmp_path / "out")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="foreign is not empty: give another folder"):
        extract(photos, foreign)
    with pytest.raises(UsageError, match="is a file: give a folder"):
        extract(photos, foreign / "diary.txt")
    extract(photos, tmp_path / "out")
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    with pytest.raises(UsageError, match=r"out holds the faces of .*photos: give another folder"):
        extract(copy, tmp_path / "out")
    (tmp_path / "out" / "extract.jsonl").write_text("nonsense\n")
    with pytest.raises(UsageError, match="is not a journal of this version"):
        extract(photos, tmp_path / "out")


def test_the_training_framing_needs_68_points(photos: Path, tmp_path: Path) -> None:
    five = faces.model_file(faces.LANDMARKS_FILE)
    with pytest.raises(UsageError, match="needs a shape predictor of 68 points"):
        extract(photos, tmp_path / "out", framing="training", landmarks=five)


def test_without_the_extra_nothing_is_begun(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffgan.faces.dlib_files.find_spec", lambda name: None)
    with pytest.raises(ExtraError, match=r"pip install 'ffgan\[faces\]'"):
        extract(photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_function_is_public() -> None:
    assert ffgan.extract is extract
    assert "extract" in ffgan.__all__
    assert Extracted.__name__ in extract.__annotations__["return"]


def test_the_library_prints_nothing_and_tells_its_progress(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # Without what the command line, in another test, made of the log.
    monkeypatch.setattr(logging.getLogger("ffgan.extraction"), "handlers", [])
    told: list[tuple[str, int, int]] = []
    extract(photos, tmp_path / "out", embeddings=True, progress=lambda *now: told.append(now))
    assert [now for now in told if now[0] == "detecting faces"] == [
        ("detecting faces", done, 5) for done in range(1, 6)
    ]
    assert told[-1] == ("contact sheet", 5, 5)
    (photos / "new.jpg").write_bytes((photos / "0.jpg").read_bytes())
    with caplog.at_level(logging.INFO, "ffgan.extraction"):
        extract(photos, tmp_path / "out", embeddings=True)
    assert caplog.messages == ["resuming: 5 of 6 photographs are done"]
    assert capfd.readouterr() == ("", "")
