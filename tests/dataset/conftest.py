# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of images that these tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.training_images import twelve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images, numbers 0 to 11, in the order of their names."""
    return twelve(tmp_path / "faces")
