# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenCV decodes, with its ways of handing out colours and alpha."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED
from ffgan.images.lazy_opencv import opencv
from ffgan.images.raster import Decoded, Part, Raster, strips


def decode_by_opencv(data: bytes) -> Decoded:
    """An image file's pixels; raises DatasetError."""
    return from_opencv(imdecode(data, int(opencv().IMREAD_UNCHANGED)))


def imdecode(data: bytes, flags: int) -> NDArray[Any]:
    """OpenCV's array for a file; raises DatasetError where it makes none."""
    cv2 = opencv()
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError("no memory for the pixels of an image") from error
        raise DatasetError(DAMAGED) from error
    if pixels is None:
        raise DatasetError(DAMAGED)
    return pixels


def from_opencv(pixels: NDArray[Any]) -> Decoded:
    """OpenCV's grey, BGR or BGRA of 8 or 16 bits; the array is used up."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DatasetError(f"pixels of type {pixels.dtype}, only 8 and 16 bits are supported")
    if pixels.ndim == 2:
        return Raster(pixels, "L")
    if pixels.shape[2] == 4:
        return _Bgra(pixels)
    cv2 = opencv()
    for rows in strips(pixels.shape):
        pixels[rows] = cv2.cvtColor(pixels[rows], cv2.COLOR_BGR2RGB)
    return Raster(pixels, "RGB")


@dataclass(frozen=True)
class _Bgra:
    """OpenCV's pixels with alpha, taken apart strip by strip."""

    pixels: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        height, width, _ = self.pixels.shape
        return height, width

    def parts(self) -> Iterator[Part]:
        cv2 = opencv()
        for rows in strips(self.shape):
            colour = cv2.cvtColor(self.pixels[rows], cv2.COLOR_BGRA2RGB)
            alpha = self.pixels[rows, :, 3]
            yield Part(rows, slice(None), Raster(colour, "RGB", alpha))
