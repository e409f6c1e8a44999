# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces, as arrays and as files, and their figures; the networks run once for all tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
from support.evaluation import measured, need_feature_networks, patches

import ffgan
from ffgan import evaluation
from ffgan.evaluation import Measured
from ffgan.typing import RGB

COUNT = 48


@pytest.fixture(scope="session")
def networks() -> None:
    need_feature_networks()


@pytest.fixture(scope="session")
def people(networks: None) -> RGB:
    """Two sets of 48 faces, (96, 162, 162, 3)."""
    return ffgan.generate(2 * COUNT, seed=1000, tries=1)


@pytest.fixture(scope="session")
def folder(people: RGB, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the people as files, in colours and sizes of files."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "below").mkdir()
    for number, image in enumerate(people[:COUNT]):
        path = folder / ("below" if number % 3 else "") / f"{number:03d}.png"
        cv2.imwrite(str(path), image[:, :, ::-1])
    return folder


@pytest.fixture(scope="session")
def good(people: RGB) -> Measured:
    """The first half of the people."""
    return measured(people[:COUNT])


@pytest.fixture(scope="session")
def real(people: RGB) -> Measured:
    """The second half of the people."""
    return measured(people[COUNT:])


@pytest.fixture(scope="session")
def figures(folder: Path) -> dict[str, Any]:
    """The packaged model evaluated beside the folder."""
    with patches():
        return evaluation.evaluate(None, folder, samples=24, seed=5)
