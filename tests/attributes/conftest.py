# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces that the tests of this folder share, as arrays and in files, and how they are measured."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.faces import need_dlib_files

import ffgan
from ffgan.attributes import measure
from ffgan.attributes.measurement import Table
from ffgan.errors import ExtraError
from ffgan.typing import RGB

COUNT = 6


@pytest.fixture(scope="session")
def people() -> RGB:
    """Six faces, (6, 162, 162, 3), as they are drawn first."""
    need_dlib_files()
    people = ffgan.generate(COUNT, seed=20, tries=1)
    try:
        measure(people[:1], ["age", "gender"])
    except ExtraError as error:
        pytest.skip(str(error))
    return people


@pytest.fixture(scope="session")
def found(people: RGB) -> Table:
    """All attributes of the people."""
    return measure(people)


@pytest.fixture(scope="session")
def album(people: RGB, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two faces, two in one photograph, one without a face, and a broken file."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "below").mkdir()
    for number, image in enumerate(people[:2]):
        cv2.imwrite(str(folder / f"{number}.png"), image[:, :, ::-1])
    both = np.concatenate([people[2], people[3]], axis=1)
    photograph = cv2.copyMakeBorder(both, 40, 60, 80, 20, cv2.BORDER_CONSTANT, None, (90, 90, 90))
    cv2.imwrite(str(folder / "below" / "two.png"), photograph[:, :, ::-1])
    cv2.imwrite(str(folder / "nobody.png"), np.full((200, 220, 3), 120, np.uint8))
    (folder / "torn.png").write_bytes((folder / "0.png").read_bytes()[:5000])
    return folder
