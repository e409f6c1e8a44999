# SPDX-License-Identifier: GPL-3.0-or-later
"""Of damaged image files ffgan shows none that others refuse, and refuses none that others show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks is not installed

from benchmarks import damaged_images


@pytest.mark.parametrize("format", damaged_images.FORMATS)
@pytest.mark.filterwarnings("ignore")  # Pillow's, of what it reads
def test_ffgan_judges_no_worse_than_two_others(format: str) -> None:
    row = damaged_images.compare(format, 120, seed=1, keep=None)
    *_, refuses_alone, fooled_alone, _ = row.split("|")
    assert int(refuses_alone) == 0
    assert int(fooled_alone) == 0
