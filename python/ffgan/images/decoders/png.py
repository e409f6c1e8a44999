# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG by strips: zlib inflates them, OpenCV undoes the filters, what samples mean is said here.

No library hands out a PNG of 16 bits strip by strip, and each has its own gaps in transparency.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.chunks import PNG_SIGNATURE, png_chunk
from ffgan.images.containers import DAMAGED, Png
from ffgan.images.decoders.inflated import Inflated
from ffgan.images.decoders.opencv import imdecode
from ffgan.images.lazy_opencv import opencv
from ffgan.images.raster import STRIP_PIXELS, Part, Raster, numbers_of_bits
from ffgan.typing import UInt8

_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

_PASSES: Final = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""Of an interlaced PNG: first row and column of each pass, and the steps from there."""

# Depth and colour type of a PNG whose pixels have so many bytes; filters know nothing else of them.
_UNFILTERED_AS: Final = {1: (8, 0), 2: (16, 0), 3: (8, 2), 4: (8, 6), 6: (16, 2), 8: (16, 6)}


@dataclass(frozen=True)
class DecodedPng:
    """The pixels of a PNG; ``parts`` raises DatasetError where they are damaged."""

    file: Png

    @property
    def shape(self) -> tuple[int, int]:
        width, height = self.file.size
        return height, width

    def parts(self) -> Iterator[Part]:
        height, width = self.shape
        depth, colour, interlaced = self._header
        view, chunks = memoryview(self.file.data), self.file.chunks()
        pixels = Inflated(view[s + 8 : e - 4] for kind, s, e in chunks if kind == b"IDAT")
        for top, left, down, right in _PASSES if interlaced else ((0, 0, 1, 1),):
            wide, high = -(-(width - left) // right), -(-(height - top) // down)
            if wide < 1 or high < 1:
                continue
            step = max(1, depth * _CHANNELS[colour] // 8)
            length = (wide * depth * _CHANNELS[colour] + 7) // 8
            above = bytes(length)
            many = max(1, STRIP_PIXELS // wide)
            for first in range(0, high, many):
                count = min(many, high - first)
                rows = _unfiltered(pixels.read(count * (1 + length)), above, step)
                above = rows[-1].tobytes()
                row = top + first * down
                yield Part(
                    slice(row, row + count * down, down),
                    slice(left, width, right),
                    self._raster(rows, wide),
                )
        pixels.finish()

    @cached_property
    def _header(self) -> tuple[int, int, int]:
        """Bits per sample, colour type, whether interlaced."""
        depth, colour, deflate, filters, interlaced = struct.unpack_from("5B", self.file.data, 24)
        if depth not in _DEPTHS.get(colour, ()) or deflate or filters or interlaced > 1:
            raise DatasetError(DAMAGED)
        return depth, colour, interlaced

    @cached_property
    def _palette(self) -> UInt8:
        """(256, 3): colours that the file has not are black."""
        content = self.file.content(b"PLTE")
        if not content or len(content) % 3 or len(content) > 768:
            raise DatasetError(f"{DAMAGED}: no palette")
        return np.frombuffer(content.ljust(768, b"\0"), np.uint8).reshape(256, 3)

    @cached_property
    def _transparent(self) -> NDArray[Any] | None:
        """Opacity (256) of a palette's colours, or the one transparent value or colour."""
        _, colour, _ = self._header
        content = self.file.content(b"tRNS")
        if not content:
            return None
        if colour == 3:
            return np.frombuffer(content[:256].ljust(256, b"\xff"), np.uint8)
        channels = _CHANNELS[colour]
        if channels not in (1, 3) or len(content) != 2 * channels:
            return None  # as libpng does it
        return np.frombuffer(content, ">u2")

    def _raster(self, rows: UInt8, width: int) -> Raster:
        """Rows of bytes (n, length) as pixels."""
        depth, colour, _ = self._header
        if colour == 3:
            numbers = numbers_of_bits(rows, depth, width)
            opacity = self._transparent
            alpha = None if opacity is None else opacity[numbers]
            return Raster(self._palette[numbers], "RGB", alpha)
        samples: NDArray[Any] = rows
        if depth == 16:
            samples = rows.view(">u2").astype(np.uint16)
        elif depth < 8:
            samples = numbers_of_bits(rows, depth, width)
        channels = _CHANNELS[colour]
        samples = samples.reshape(len(rows), width, channels)
        full = np.iinfo(samples.dtype).max
        if channels in (2, 4):
            alpha = samples[..., -1]
        elif self._transparent is not None:
            hidden = (samples == self._transparent).all(axis=2)
            alpha = np.where(hidden, 0, full).astype(samples.dtype)
        else:
            alpha = None
        if depth < 8:
            samples = samples * np.uint8(255 // ((1 << depth) - 1))
        if channels in (1, 2):
            return Raster(samples[..., 0], "L", alpha)
        return Raster(samples[..., :3], "RGB", alpha)


def _unfiltered(filtered: bytes, above: bytes, step: int) -> UInt8:
    """Rows of bytes (n, length); ``filtered``: with the number of the filter before each row.

    ``above``: the row before, without a filter. ``step``: bytes of a pixel. It is OpenCV that
    undoes the filters, of a PNG made of these rows.
    """
    length = len(above)
    rows = np.frombuffer(filtered, np.uint8).reshape(-1, 1 + length)
    filters = rows[:, 0]
    if filters.max() > 4:
        raise DatasetError(f"{DAMAGED}: no such filter")
    if not filters.any():
        return rows[:, 1:]
    depth, colour = _UNFILTERED_AS[step]
    header = struct.pack(">IIBBBBB", length // step, 1 + len(rows), depth, colour, 0, 0, 0)
    content = zlib.compress(b"\0" + above + filtered, 0)
    data = b"".join(
        [
            PNG_SIGNATURE,
            png_chunk(b"IHDR", header),
            png_chunk(b"IDAT", content),
            png_chunk(b"IEND", b""),
        ]
    )
    cv2 = opencv()
    pixels = imdecode(data, cv2.IMREAD_UNCHANGED)[1:]
    if step in (3, 6):
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    elif step in (4, 8):
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(">u2")
    return np.ascontiguousarray(pixels).reshape(len(rows), -1).view(np.uint8)
