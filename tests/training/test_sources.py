# SPDX-License-Identifier: GPL-3.0-or-later
"""Training from archives: the bytes of a run are those of the folder that they were made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.archives import files_below, tarred, zipped
from support.training import SHORT, SmallTrainer, checkpoints

from ffgan import training
from ffgan.dataset import pack


def test_checkpoints_from_archives_are_those_from_the_folder(
    small: type[SmallTrainer], faces: Path, tmp_path: Path
) -> None:
    training.train(faces, name="folder", **SHORT)
    expected = checkpoints("folder")
    assert expected
    for archive in (
        zipped(tmp_path / "faces.zip", files_below(faces)),
        tarred(tmp_path / "faces.tar", files_below(faces)),
        tarred(tmp_path / "faces.tar.gz", files_below(faces), "w:gz"),
    ):
        training.train(archive, name=archive.name, **SHORT)
        assert checkpoints(archive.name) == expected


def test_a_run_goes_on_with_the_archive_of_its_folder(
    small: type[SmallTrainer], faces: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive = zipped(tmp_path / "faces.zip", files_below(faces))
    training.train(faces, name="whole", **SHORT)
    training.train(faces, name="parts", **SHORT | {"steps": 4})
    training.train(archive, name="parts", **SHORT)
    assert "starting from step 4" in caplog.text
    last = "step-00000008.safetensors"
    assert checkpoints("parts")[last] == checkpoints("whole")[last]


def test_a_pack_of_an_archive_is_that_of_its_folder(strangers: Path, tmp_path: Path) -> None:
    pack(strangers, tmp_path / "folder.pack").close()
    for archive in (
        zipped(tmp_path / "faces.zip", files_below(strangers)),
        tarred(tmp_path / "faces.tar.xz", files_below(strangers), "w:xz"),
    ):
        file = tmp_path / f"{archive.name}.pack"
        pack(archive, file).close()
        assert file.read_bytes() == (tmp_path / "folder.pack").read_bytes()
