# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of few images say what they do not tell."""

from __future__ import annotations

import pytest

from ffgan.evaluation.cautions import cautions


@pytest.mark.parametrize(
    ("samples", "real", "few", "unequal"),
    [
        (2000, 2000, None, False),
        (1999, 1999, "1,999 images are few", False),
        (2000, 500, "500 images are few", True),
        (16, 2000, "16 images are few", True),
        (3000, 2500, None, True),
    ],
)
def test_few_and_unequal_numbers_are_said(samples, real, few, unequal) -> None:
    said = cautions(samples, real)
    assert [line.partition(":")[0] for line in said if "few" in line] == ([few] if few else [])
    assert any("stand beside" in line for line in said) == unequal
