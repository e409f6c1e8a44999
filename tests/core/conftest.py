# SPDX-License-Identifier: GPL-3.0-or-later
"""The frozen networks that the extras bring, or a skipped test."""

from __future__ import annotations

import pytest

from ffgan import _core, faces, features
from ffgan.errors import ExtraError


@pytest.fixture(scope="session")
def recognition() -> str:
    try:
        return str(faces.recognition_file())
    except ExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def imagenet() -> _core.Parameters:
    try:
        return features.training_network()
    except ExtraError as error:
        pytest.skip(str(error))
