# SPDX-License-Identifier: GPL-3.0-or-later
"""BMP: plain pixels are read here by their masks, run lengths by OpenCV.

What OpenCV and Pillow make of 32 bits differs with the header, and neither knows all masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan.images.containers import Bmp
from ffgan.images.decoders.opencv import decode_by_opencv
from ffgan.images.raster import Decoded, Part, Raster, numbers_of_bits, strips
from ffgan.typing import UInt8


def decode_bmp(file: Bmp) -> Decoded:
    """The pixels of a BMP that `Bmp.check` has passed."""
    return _of_run_lengths(file) if file.layout.run_lengths else _PlainBmp(file)


def _of_run_lengths(file: Bmp) -> Decoded:
    width, _ = file.size
    wide = file.layout.row * 8 // file.layout.bits
    if not width < _first_row(file, wide) <= wide:
        return decode_by_opencv(file.data)
    # ImageMagick also writes as pixels what fills a row up to whole words. OpenCV refuses that, or
    # takes them for the beginning of the next row.
    filled = bytearray(file.data)
    filled[18:22] = wide.to_bytes(4, "little")
    decoded = decode_by_opencv(bytes(filled))
    assert isinstance(decoded, Raster)
    return Raster(np.ascontiguousarray(decoded.samples[:, :width]), decoded.mode)


def _first_row(file: Bmp, most: int) -> int:
    """Pixels of the first row of run lengths, if they are not more than ``most``."""
    data, at, pixels = file.data, file.layout.first, 0
    while at + 1 < len(data) and pixels <= most:
        count, value = data[at : at + 2]
        at += 2
        if count:
            pixels += count
        elif value <= 2:  # the end of the row, of the picture, or a jump
            break
        else:
            pixels += value
            at += (value * file.layout.bits + 15) // 16 * 2
    return pixels


@dataclass(frozen=True)
class _PlainBmp:
    """Rows of pixels without compression."""

    file: Bmp

    @property
    def shape(self) -> tuple[int, int]:
        width, height = self.file.size
        return height, width

    @cached_property
    def _rows(self) -> UInt8:
        """(h, bytes), from the top."""
        layout = self.file.layout
        height, _ = self.shape
        pixels = np.frombuffer(self.file.data, np.uint8, layout.row * height, layout.first)
        rows = pixels.reshape(height, layout.row)
        return rows if layout.top_down else rows[::-1]

    def parts(self) -> Iterator[Part]:
        transparent = self._transparent
        for rows in strips(self.shape):
            yield Part(rows, slice(None), self._raster(self._rows[rows], transparent))

    def _raster(self, rows: UInt8, transparent: bool) -> Raster:
        layout = self.file.layout
        _, width = self.shape
        if layout.bits == 24:
            colours = rows[:, : 3 * width].reshape(len(rows), width, 3)
            return Raster(colours[..., ::-1], "RGB")
        if layout.masks is None:
            return Raster(self._palette[numbers_of_bits(rows, layout.bits, width)], "RGB")
        pixels = self._words(rows)
        red, green, blue = (_masked(pixels, mask) for mask in layout.masks[:3])
        alpha = _masked(pixels, layout.masks[3]) if transparent else None
        return Raster(np.stack([red, green, blue], axis=2), "RGB", alpha)

    def _words(self, rows: UInt8) -> NDArray[Any]:
        """(n, w) pixels of 16 or 32 bits."""
        size = self.file.layout.bits // 8
        _, width = self.shape
        words: NDArray[Any] = np.ascontiguousarray(rows[:, : size * width]).view(f"<u{size}")
        return words

    @cached_property
    def _palette(self) -> UInt8:
        """(256, 3) RGB: colours that the file has not are black."""
        layout = self.file.layout
        content = np.frombuffer(layout.palette, np.uint8)
        given = content[: len(content) // layout.entry * layout.entry].reshape(-1, layout.entry)
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(given)] = given[:, 2::-1]
        return palette

    @property
    def _transparent(self) -> bool:
        """Whether there is an alpha: one that is zero everywhere is none."""
        layout = self.file.layout
        if layout.masks is None or not layout.masks[3]:
            return False
        mask = layout.masks[3]
        return any((self._words(self._rows[rows]) & mask).any() for rows in strips(self.shape))


def _masked(pixels: NDArray[Any], mask: int) -> UInt8:
    """The bits of a mask, as 0 to 255."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    full = mask >> shift
    values: NDArray[Any] = (pixels & mask) >> shift
    if full != 255:
        values = (values.astype(np.uint64) * 255 + full // 2) // full
    return values.astype(np.uint8)
