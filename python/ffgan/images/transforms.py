# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to other sizes: resizing, making square, laying out in a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from ffgan import _core
from ffgan.errors import UsageError
from ffgan.typing import RGB

Fit: TypeAlias = Literal["crop", "stretch"]
"""How an image that is not square is made so: cut to its middle, or squeezed."""

FITS: Final[tuple[Fit, ...]] = get_args(Fit)

RESIZING: Final = 2
"""Of `resize`: counted up when its bytes change, for what is kept of resized images (1: OpenCV)."""


def resize(image: RGB, size: int | tuple[int, int]) -> RGB:
    """``image`` stretched to ``size`` (a side, or height and width, in pixels).

    A side that shrinks is averaged over the area of each new pixel, one that grows is interpolated
    by cubic convolution (Keys 1981, a = -3/4), one that stays is not touched. The bytes are the
    same on every machine: ``docs/resizing.md``. Raises UsageError for a side outside 1 to 2^20.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise UsageError(f"an image cannot be {width}x{height} pixels: give at least 1x1")
    if (height, width) == image.shape[:2]:
        return image
    if image.strides[1:] != (3, 1):
        image = np.ascontiguousarray(image)
    try:
        return _core.resize(image, height, width)
    except ValueError as error:
        raise UsageError(f"an image cannot be {width}x{height} pixels: {error}") from error


def fit_square(image: RGB, size: int, fit: Fit) -> RGB:
    """``image`` (h, w, 3) as (size, size, 3): its middle square, or all of it stretched."""
    height, width = image.shape[:2]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    return resize(image, size)


def grid(images: RGB, columns: int | None = None) -> RGB:
    """Images (n, height, width, 3) row by row in one of (rows * height, columns * width, 3).

    Without ``columns`` the grid is as near to a square as it gets. The rest of the last row is
    black. Raises UsageError for no images or no columns.
    """
    images = np.asarray(images)
    if images.ndim != 4 or len(images) == 0:
        raise UsageError(f"a grid needs images (n, height, width, 3), not {images.shape}")
    return sheet(images, len(images), images.shape[1:3], columns)


def sheet(
    images: Iterable[RGB], count: int, size: int | tuple[int, int], columns: int | None = None
) -> RGB:
    """`grid` of ``count`` images that come one by one, each of ``size`` (a side, or height and
    width), and goes to its place at once."""
    height, width = (size, size) if isinstance(size, int) else size
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    if columns < 1:
        raise UsageError(f"a grid cannot have {columns} columns: give at least 1")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * height, number % columns * width
        whole[top : top + height, left : left + width] = image
    return whole
