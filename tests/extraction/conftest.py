# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs that the tests of this folder share; without dlib's files they are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faces import need_dlib_files
from support.photographs import jpeg, photograph

import ffgan
from ffgan import images
from ffgan.typing import RGB


@pytest.fixture(scope="session")
def dlib_files() -> None:
    need_dlib_files()


@pytest.fixture(scope="session")
def people(dlib_files: None) -> RGB:
    """Faces that no one has: (8, 162, 162, 3)."""
    return ffgan.generate(8, seed=3)


@pytest.fixture
def photos(tmp_path: Path, people: RGB) -> Path:
    """Five good photographs, one of them in a subfolder."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for i in range(4):
        (folder / f"{i}.jpg").write_bytes(jpeg(photograph(people[i])))
    (folder / "below" / "4.png").write_bytes(images.encode(photograph(people[4]), "png"))
    return folder
