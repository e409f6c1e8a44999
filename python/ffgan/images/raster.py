# SPDX-License-Identifier: GPL-3.0-or-later
"""What decoders return, and its way to upright RGB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan.images.lazy_opencv import opencv
from ffgan.typing import RGB, UInt8

Mode: TypeAlias = Literal["L", "RGB", "CMYK", "LAB"]

STRIP_PIXELS: Final = 1 << 20
"""Pixels that are converted at once: what bounds the memory that a conversion takes besides."""


@dataclass(frozen=True)
class Raster:
    """Pixels as they are stored, neither turned nor laid over a background.

    ``samples``: (h, w) of mode "L", (h, w, 3) of "RGB" and "LAB", (h, w, 4) of "CMYK", uint8 or
    uint16, not multiplied with ``alpha``, which is (h, w) of the same type, or None where nothing
    is transparent.
    """

    samples: NDArray[Any]
    mode: Mode
    alpha: NDArray[Any] | None = None


def over_white(image: NDArray[Any], alpha: NDArray[Any] | None) -> NDArray[Any]:
    """Lay (h, w, 3) uint8 or uint16 over white, in place.

    ``alpha`` is (h, w) of the same type, at its maximum where the image is opaque.
    """
    if alpha is None:
        return image
    full = np.uint32(np.iinfo(image.dtype).max)
    for rows in strips(image):
        opacity = alpha[rows, :, None].astype(np.uint32)
        image[rows] = (image[rows] * opacity + full // 2) // full + (full - opacity)
    return image


def eight_bits(samples: NDArray[Any]) -> UInt8:
    """uint8 or uint16 samples, rounded to uint8."""
    if samples.dtype == np.uint8:
        return samples
    full = np.uint32(np.iinfo(np.uint16).max)
    rounded = np.empty(samples.shape, np.uint8)
    for rows in strips(samples):
        rounded[rows] = (samples[rows].astype(np.uint32) * 255 + full // 2) // full
    return rounded


def strips(image: NDArray[Any]) -> Iterator[slice]:
    """Rows of ``image``, about STRIP_PIXELS at a time."""
    rows = max(1, STRIP_PIXELS // max(1, image.shape[1]))
    for top in range(0, len(image), rows):
        yield slice(top, top + rows)


def turned(image: RGB, orientation: int) -> RGB:
    """The image upright, contiguous; ``orientation`` is EXIF's, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def grey_to_rgb(samples: NDArray[Any]) -> NDArray[Any]:
    """(h, w) grey as (h, w, 3) of the same type."""
    cv2 = opencv()
    rgb: NDArray[Any] = cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB)
    return rgb
