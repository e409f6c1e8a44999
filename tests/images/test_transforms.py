# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizing, fitting and grids."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
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
        images.encode(np.zeros((4, 4, 3), np.uint8))


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng((height, width)).integers(0, 256, (height, width, 3), np.uint8)


def shares(old: int, new: int) -> NDArray[np.int64]:
    """How many of ``new`` parts of each old pixel each new one covers."""
    edges = np.arange(new + 1) * old, np.arange(old + 1) * new
    last = np.minimum(edges[0][1:, None], edges[1][None, 1:])
    first = np.maximum(edges[0][:-1, None], edges[1][None, :-1])
    return np.maximum(last - first, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((48, 80), (24, 40)),
        ((162, 162), (150, 150)),
        ((100, 67), (99, 4)),
        ((1200, 7), (1, 3)),
        ((5, 900), (5, 2)),
    ],
)
def test_shrinking_is_the_exact_average_of_areas(
    old: tuple[int, int], new: tuple[int, int]
) -> None:
    image = noise(*old)
    down, across = shares(old[0], new[0]), shares(old[1], new[1])
    sums = np.einsum("yi,ijc,xj->yxc", down, image.astype(np.int64), across, optimize=True)
    count = old[0] * old[1]
    assert np.array_equal(images.resize(image, new), (2 * sums + count) // (2 * count))


def cubic(old: int, new: int) -> NDArray[np.float64]:
    """The weights (new, old) of Keys's cubic convolution, a = -3/4."""
    weights = np.zeros((new, old))
    for place in range(new):
        centre = (place + 0.5) * old / new - 0.5
        for tap in range(math.floor(centre) - 1, math.floor(centre) + 3):
            x = abs(centre - tap)
            near, far = (1.25 * x - 2.25) * x * x + 1, -0.75 * (x - 1) * (x - 2) ** 2
            weights[place, min(max(tap, 0), old - 1)] += near if x < 1 else far
    return weights


@pytest.mark.parametrize(
    ("old", "new"), [((162, 162), (512, 512)), ((7, 5), (30, 211)), ((1, 3), (4, 3))]
)
def test_enlarging_is_cubic_interpolation(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = noise(*old)
    down, across = cubic(old[0], new[0]), cubic(old[1], new[1])
    exact = np.einsum("yi,ijc,xj->yxc", down, image, across, optimize=True)
    found = images.resize(image, new)
    # Half a level of rounding, and what 16 bits leave.
    assert np.abs(found - np.clip(exact, 0, 255)).max() < 0.57
    assert np.mean(found != np.clip(exact.round(), 0, 255)) < 0.02


def test_black_and_white_stay_so() -> None:
    edges = (np.indices((9, 9)).sum(axis=0) % 2 * 255)[..., None].repeat(3, 2).astype(np.uint8)
    found = images.resize(edges, 100)
    assert found.min() == 0
    assert found.max() == 255


@pytest.mark.parametrize("size", [(40, 300), (300, 40), (40, 40), (300, 300)])
def test_a_view_is_resized_as_its_copy(size: tuple[int, int]) -> None:
    image = noise(120, 150)
    for view in (image[20:100, 30:110], image[:, ::-1], image[::-1], image.swapaxes(0, 1)):
        assert np.array_equal(images.resize(view, size), images.resize(view.copy(), size))


@pytest.mark.parametrize("size", [(40, 300), (300, 40), (512, 401)])
def test_a_mirrored_picture_is_resized_to_the_mirrored_result(size: tuple[int, int]) -> None:
    image = noise(120, 150)
    assert np.array_equal(images.resize(image[:, ::-1], size), images.resize(image, size)[:, ::-1])
    assert np.array_equal(images.resize(image[::-1], size), images.resize(image, size)[::-1])


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


def test_a_side_beyond_all_use_is_refused() -> None:
    with pytest.raises(UsageError, match="2097152x4 pixels"):
        images.resize(np.zeros((4, 4, 3), np.uint8), (4, 1 << 21))


@pytest.mark.parametrize("bad", [0, -5, (0, 10)])
def test_a_size_below_one_is_refused(bad: int | tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="at least 1x1"):
        images.resize(np.zeros((4, 4, 3), np.uint8), bad)


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="grid"):
        images.grid(np.zeros((0, 4, 4, 3), np.uint8))
    with pytest.raises(UsageError, match="columns"):
        images.grid(np.zeros((1, 4, 4, 3), np.uint8), 0)
