# SPDX-License-Identifier: GPL-3.0-or-later
"""What decoders return, and its way to upright RGB of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan.typing import RGB, UInt8

Mode: TypeAlias = Literal["L", "RGB", "CMYK", "LAB"]

STRIP_PIXELS: Final = 1 << 18
"""Pixels that are converted at once: what bounds the memory that a conversion takes besides."""


class Decoded(Protocol):
    """What a decoder returns: a file's pixels in parts, so that few of them are held twice."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, as stored."""

    def parts(self) -> Iterator[Part]:
        """All pixels, once; raises DatasetError where the file turns out to be damaged."""


@dataclass(frozen=True)
class Raster:
    """Pixels as they are stored, neither turned nor laid over a background.

    ``samples``: (h, w) of mode "L", (h, w, 3) of "RGB" and "LAB", (h, w, 4) of "CMYK" (of which 0
    is no ink), uint8 or uint16, not multiplied with ``alpha``, which is (h, w) of the same type, or
    None where nothing is transparent.
    """

    samples: NDArray[Any]
    mode: Mode
    alpha: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.samples.shape[:2]
        return height, width

    def parts(self) -> Iterator[Part]:
        """Strips of the pixels, as views."""
        for rows in strips(self.shape):
            alpha = None if self.alpha is None else self.alpha[rows]
            yield Part(rows, slice(None), Raster(self.samples[rows], self.mode, alpha))


@dataclass(frozen=True)
class Part:
    """Some of a picture's pixels, ``raster``, and the ``rows`` and ``columns`` where they stand."""

    rows: slice
    columns: slice
    raster: Raster


def to_rgb(decoded: Decoded, orientation: int, convert: Callable[[Raster], Raster] | None) -> RGB:
    """A decoded picture as upright (h, w, 3) RGB of 8 bits over white.

    ``convert`` changes the colours of a part, such as those of a profile to sRGB; it returns mode
    "L" or "RGB". ``orientation`` is EXIF's, 1 to 8.
    """
    if isinstance(decoded, Raster) and convert is None and _is_rgb(decoded):
        return turned(decoded.samples, orientation)
    height, width = decoded.shape
    upright = np.empty((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    stored = _as_stored(upright, orientation)
    for part in decoded.parts():
        raster = part.raster if convert is None else convert(part.raster)
        pixels = over_white(raster.samples, raster.alpha)
        stored[part.rows, part.columns] = pixels if pixels.ndim == 3 else pixels[..., None]
    return upright


def _is_rgb(raster: Raster) -> bool:
    return raster.mode == "RGB" and raster.alpha is None and raster.samples.dtype == np.uint8


def over_white(samples: NDArray[Any], alpha: NDArray[Any] | None) -> UInt8:
    """Grey (h, w) or RGB (h, w, 3), uint8 or uint16, rounded to uint8 and laid over white.

    ``alpha`` is (h, w) of the same type, at its maximum where the image is opaque.
    """
    full = np.uint32(np.iinfo(samples.dtype).max)
    if alpha is not None:
        opacity = alpha.astype(np.uint32)
        if samples.ndim == 3:
            opacity = opacity[..., None]
        samples = (samples * opacity + full // 2) // full + (full - opacity)
    elif full == 255:
        return samples
    if full == 255:
        return samples.astype(np.uint8)
    return ((samples.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)


def strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of an image (h, w, ...), about STRIP_PIXELS at a time."""
    rows = max(1, STRIP_PIXELS // max(1, shape[1]))
    for top in range(0, shape[0], rows):
        yield slice(top, min(top + rows, shape[0]))


def turned(image: RGB, orientation: int) -> RGB:
    """The image upright, contiguous; ``orientation`` is EXIF's, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _as_stored(upright: RGB, orientation: int) -> RGB:
    """A view of an upright image in the order of the pixels in its file: `turned` undone."""
    if orientation in (3, 4, 7, 8):
        upright = upright[::-1]
    if orientation in (2, 3, 6, 7):
        upright = upright[:, ::-1]
    return upright.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else upright


def numbers_of_bits(rows: UInt8, depth: int, width: int) -> UInt8:
    """(n, width) numbers of 1, 2, 4 or 8 bits in rows of bytes."""
    if depth == 8:
        return rows[:, :width]
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    numbers = rows[..., None] >> shifts & np.uint8((1 << depth) - 1)
    return numbers.reshape(len(rows), -1)[:, :width]
