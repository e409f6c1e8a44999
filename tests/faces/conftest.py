# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces that the tests of this folder share."""

from __future__ import annotations

import pytest
from support.faces import need_dlib_files

import ffgan
from ffgan.typing import RGB


@pytest.fixture(scope="session")
def people() -> RGB:
    """Twelve faces, (12, 162, 162, 3)."""
    return ffgan.generate(12, seed=3)


@pytest.fixture(scope="session")
def crowd(people: RGB) -> RGB:
    """Three by four faces in one picture, each in a cell of 162 pixels."""
    return people.reshape(3, 4, 162, 162, 3).swapaxes(1, 2).reshape(3 * 162, 4 * 162, 3).copy()


@pytest.fixture(scope="session")
def files() -> None:
    need_dlib_files()
