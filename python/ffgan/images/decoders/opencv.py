# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG, WebP, BMP and TIFF by OpenCV."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED
from ffgan.images.lazy_opencv import opencv
from ffgan.images.raster import Raster, strips


def decode_by_opencv(data: bytes, *, premultiplied: bool) -> Raster:
    """An image file's pixels; ``premultiplied``: 8-bit colours come multiplied with their alpha.

    Raises DatasetError.
    """
    return raster(imdecode(data, int(opencv().IMREAD_UNCHANGED)), premultiplied=premultiplied)


def imdecode(data: bytes, flags: int) -> NDArray[Any]:
    """OpenCV's array for a file; raises DatasetError where it makes none."""
    cv2 = opencv()
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DatasetError(DAMAGED) from error
    if pixels is None:
        raise DatasetError(DAMAGED)
    return pixels


def raster(pixels: NDArray[Any], *, premultiplied: bool = False) -> Raster:
    """OpenCV's grey, BGR or BGRA of 8 or 16 bits."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DatasetError(f"pixels of type {pixels.dtype}, only 8 and 16 bits are supported")
    if pixels.ndim == 2:
        return Raster(pixels, "L")
    cv2 = opencv()
    if pixels.shape[2] == 3:
        return Raster(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), "RGB")
    alpha = np.ascontiguousarray(pixels[..., 3])
    colour = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    if premultiplied and pixels.dtype == np.uint8:
        # libtiff hands out 8-bit colours already multiplied with their alpha.
        for rows in strips(colour):
            opacity = np.maximum(alpha[rows, :, None], 1).astype(np.uint16)
            colour[rows] = np.minimum(
                (colour[rows] * np.uint16(255) + opacity // 2) // opacity, 255
            )
    return Raster(colour, "RGB", alpha)
