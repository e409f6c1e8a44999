# SPDX-License-Identifier: GPL-3.0-or-later
"""The packaged model, what lies in a folder, and readers that reach no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.faces import need_dlib_files

from ffgan.model import Model


@pytest.fixture(scope="session")
def packaged() -> Model:
    return Model.load()


@pytest.fixture(scope="session")
def dlib_files() -> None:
    need_dlib_files()


@pytest.fixture
def content() -> Callable[[Path], dict[str, bytes]]:
    """A function that returns all files below a folder."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read
