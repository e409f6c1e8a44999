# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences of neighbouring pixels at the sides of images, and those of two sets."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan.evaluation import borders
from ffgan.typing import RGB


def noise(seed: int) -> RGB:
    return np.random.default_rng(seed).integers(0, 256, (3, 20, 16, 3), dtype=np.uint8)


def test_differences_are_those_of_rows_and_columns_from_the_outermost_on() -> None:
    images = noise(1)
    found = borders.differences(images)
    luma = images @ np.array([0.299, 0.587, 0.114])
    assert found.shape == borders.SHAPE
    for place in range(borders.PLACES):
        for side, row, inner in (("top", place, place + 1), ("bottom", 19 - place, 18 - place)):
            expected = np.abs(luma[:, row] - luma[:, inner]).mean()
            assert found[0, borders.SIDES.index(side), place] == pytest.approx(expected, rel=1e-5)
        for side, column in (("left", place), ("right", 15 - place)):
            expected = np.abs(np.diff(luma[:, :, column], axis=1)).mean()
            assert found[1, borders.SIDES.index(side), place] == pytest.approx(expected, rel=1e-5)


def test_a_frame_stands_out_on_its_own_side() -> None:
    images = noise(2)
    framed = images.copy()
    framed[:, :, -1] = 255  # the last column
    ratio = borders.compare(borders.differences(framed), borders.differences(images))["ratio"]
    assert ratio["across"]["right"][0] > 1.3 and ratio["along"]["right"][0] == 0
    assert ratio["across"]["right"][1:] == ratio["along"]["right"][1:] == [1, 1]
    assert ratio["across"]["left"] == [*ratio["across"]["right"][1:], 1]


def test_where_the_real_images_are_even_there_is_no_ratio() -> None:
    even = borders.differences(np.full_like(noise(3), 7))
    compared = borders.compare(borders.differences(noise(3)), even)
    assert compared["real"]["across"]["top"] == [0, 0, 0]
    assert compared["ratio"]["across"]["top"] == [None, None, None]
