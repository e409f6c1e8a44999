# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of pictures with texts."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan.errors import UsageError
from ffgan.images import labelled_grid


def pictures(rows: int, columns: int, height: int = 40, width: int = 60) -> list[list[np.ndarray]]:
    random = np.random.default_rng(0)
    return [
        [random.integers(0, 200, (height, width, 3), dtype=np.uint8) for _ in range(columns)]
        for _ in range(rows)
    ]


def dark(part: np.ndarray) -> bool:
    return bool((part < 128).any())


def test_pictures_keep_their_pixels_and_texts_stand_around_them() -> None:
    made = pictures(2, 3)
    whole = labelled_grid(
        made,
        above=["20", "40", "60"],
        beside=["smile 0", "smile 1"],
        below=[["19", "41", ""], ["20", "40", "58"]],
    )
    # Where the first picture lies is found by its pixels.
    line = whole.shape[0] - 2 * 40
    assert line % 3 == 0
    line //= 3
    left = whole.shape[1] - 3 * 60
    for j in range(2):
        for i in range(3):
            y, x = line + j * (40 + line), left + i * 60
            np.testing.assert_array_equal(whole[y : y + 40, x : x + 60], made[j][i])
            below = whole[y + 40 : y + 40 + line, x : x + 60]
            assert dark(below) == ((j, i) != (0, 2))
    for i in range(3):
        assert dark(whole[:line, left + i * 60 : left + (i + 1) * 60])
    assert dark(whole[line : line + 40, :left])
    assert not dark(whole[:line, :left])


def test_a_text_wider_than_its_picture_is_made_smaller() -> None:
    whole = labelled_grid(pictures(1, 2), above=["a text that is long " * 2, ""])
    line = whole.shape[0] - 40
    assert dark(whole[:line, :60])
    assert not dark(whole[:line, 60:])


def test_without_texts_it_is_the_pictures_alone() -> None:
    made = pictures(2, 2)
    np.testing.assert_array_equal(
        labelled_grid(made), np.concatenate([np.concatenate(row, axis=1) for row in made])
    )


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        ([], {}),
        ([[]], {}),
        ([*pictures(1, 2), *pictures(1, 1)], {}),
        (pictures(1, 2), {"above": ["1"]}),
        (pictures(1, 2), {"beside": ["1", "2"]}),
        (pictures(1, 2), {"below": [["1"]]}),
    ],
)
def test_what_does_not_match_is_refused(rows, texts) -> None:
    with pytest.raises(UsageError, match="a labelled grid needs"):
        labelled_grid(rows, **texts)
