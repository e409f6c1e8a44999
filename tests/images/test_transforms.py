# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizing, fitting and grids."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pictures import (
    picture,
)

from ffgan import images
from ffgan.errors import Error, UsageError


def test_opencv_is_loaded_at_the_first_use() -> None:
    program = "import sys, ffgan.images, ffgan.dataset; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_a_missing_opencv_is_one_line_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    images.opencv.cache_clear()
    with pytest.raises(Error, match="pip install opencv-python-headless"):
        images.resize(np.zeros((4, 4, 3), np.uint8), 8)


def test_shrinking_averages_areas() -> None:
    image = np.asarray(picture(80, 48))
    expected = image.reshape(24, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(images.resize(image, (24, 40)) - expected).max() <= 0.5


def test_enlarging_is_smooth_and_keeps_flat_areas_flat() -> None:
    flat = np.full((10, 10, 3), 77, np.uint8)
    assert (images.resize(flat, 31) == 77).all()
    ramp = np.repeat(np.linspace(0, 255, 16).astype(np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    large = images.resize(ramp, 128).astype(int)
    assert np.abs(np.diff(large, axis=1)).max() <= 4


def test_one_side_shrinks_while_the_other_grows() -> None:
    image = np.asarray(picture(80, 20))
    half = image.reshape(20, 40, 2, 3).mean(axis=2).round().astype(np.uint8)
    assert np.abs(images.resize(image, 40).astype(int) - images.resize(half, 40)).max() <= 2


def test_the_right_size_is_not_touched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (162, 162, 3), np.uint8)
    assert np.array_equal(images.resize(image, 162), image)


@given(count=st.integers(1, 30), columns=st.one_of(st.none(), st.integers(1, 40)))
def test_grid_shows_every_image_in_order(count: int, columns: int | None) -> None:
    numbered = np.broadcast_to(
        np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None], (count, 2, 3, 3)
    )
    sheet = images.grid(numbered, columns)
    shown = sheet[::2, ::3, 0].ravel()
    assert shown[:count].tolist() == list(range(1, count + 1))
    assert not shown[count:].any()
    if columns is not None:
        assert sheet.shape[1] == 3 * min(columns, count)


def test_ten_images_make_a_grid_of_four_columns() -> None:
    assert images.grid(np.zeros((10, 162, 162, 3), np.uint8)).shape == (3 * 162, 4 * 162, 3)


@pytest.mark.parametrize("bad", [0, -5, (0, 10)])
def test_a_size_below_one_is_refused(bad: int | tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="at least 1x1"):
        images.resize(np.zeros((4, 4, 3), np.uint8), bad)


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="grid"):
        images.grid(np.zeros((0, 4, 4, 3), np.uint8))
    with pytest.raises(UsageError, match="columns"):
        images.grid(np.zeros((1, 4, 4, 3), np.uint8), 0)
