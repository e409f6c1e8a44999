# SPDX-License-Identifier: GPL-3.0-or-later
"""The samples of a TIFF, piece by piece: decompressed, and put side by side."""

from __future__ import annotations

import contextlib
import ctypes
import io
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import CUT_OFF, DAMAGED, Jpeg, Tiff
from ffgan.images.containers.tiff import TiffEntry
from ffgan.images.decoders.inflated import Inflated
from ffgan.images.decoders.jpeg import decode_jpeg
from ffgan.images.decoders.opencv import imdecode
from ffgan.images.decoders.tiff_layout import (
    BLACK_IS_ZERO,
    CMYK,
    DEFLATE,
    IS_RGB,
    JPEG,
    PLAIN,
    YCBCR,
    Layout,
)
from ffgan.images.lazy_opencv import opencv
from ffgan.images.raster import STRIP_PIXELS, numbers_of_bits

Samples = NDArray[Any]
"""(rows, columns, channels), uint8 or uint16, native; below 8 bits the numbers as they are."""

MAX_STRIP: Final = 1 << 26
"""Bytes that a strip may have, besides 4.5 for each pixel of the file.

Where strips are neither plain nor deflated, all of one is unpacked at once, and held twice.
"""

# Compressed are pixels, not bytes: of fax, of JPEG.
_OF_PIXELS: Final = (2, 3, 4, JPEG)


def pieces(file: Tiff, layout: Layout) -> Iterator[tuple[int, Samples]]:
    """First row and samples of each piece, from the top; raises DatasetError for damage."""
    width, height = file.size
    if layout.planes > 1:
        planes = [pieces(file, layout.plane(number)) for number in range(layout.planes)]
        for parts in zip(*planes, strict=True):
            yield parts[0][0], np.concatenate([samples for _, samples in parts], axis=2)
    elif layout.compression in (PLAIN, *DEFLATE) and layout.by_rows:
        for top in range(0, height, layout.high):
            high = min(layout.high, height - top)
            for first, samples in _by_numpy(file, layout, top // layout.high, high):
                yield top + first, samples[:, :width]
    else:
        by_bytes = layout.compression not in _OF_PIXELS and layout.photometric != YCBCR
        piece = _by_bytes if by_bytes else _by_pixels
        many = 1 if layout.tiled else max(1, STRIP_PIXELS // (layout.wide * layout.high))
        for top in range(0, height, layout.high * many):
            for first, samples in piece(file, layout, top, min(layout.high * many, height - top)):
                yield first, samples[:, :width]


def _segments(file: Tiff, layout: Layout, first: int, many: int) -> list[memoryview]:
    """The bytes of so many strips or rows of tiles."""
    data = memoryview(file.data)
    numbers = range(first * layout.across, (first + many) * layout.across)
    return [data[layout.offsets[n] :][: layout.counts[n]] for n in numbers]


# --- By NumPy and zlib ---


def _by_numpy(file: Tiff, layout: Layout, strip: int, high: int) -> Iterator[tuple[int, Samples]]:
    """Rows of one strip, or of one row of tiles."""
    row = (layout.wide * layout.bits * layout.channels + 7) // 8
    streams = [
        _Plain(segment) if layout.compression == PLAIN else Inflated([segment])
        for segment in _segments(file, layout, strip, 1)
    ]
    many = max(1, STRIP_PIXELS // (layout.wide * layout.across))
    for top in range(0, high, many):
        rows = min(many, high - top)
        sides = [_samples(stream.read(rows * row), rows, file.order, layout) for stream in streams]
        yield top, sides[0] if len(sides) == 1 else np.concatenate(sides, axis=1)


def _samples(content: bytes, rows: int, order: str, layout: Layout) -> Samples:
    lines = np.frombuffer(content, np.uint8).reshape(rows, -1)
    if layout.bits == 16:
        samples: Samples = lines.view(order + "u2").astype(np.uint16)
    elif layout.bits == 8:
        samples = lines
    else:
        samples = numbers_of_bits(lines, layout.bits, layout.wide * layout.channels)
    samples = samples.reshape(rows, layout.wide, layout.channels)
    if layout.predictor == 2 and layout.compression != PLAIN:
        samples = np.cumsum(samples, axis=1, dtype=samples.dtype)
    return samples


class _Plain:
    """Bytes as they are."""

    def __init__(self, content: memoryview) -> None:
        self._content = content

    def read(self, length: int) -> bytes:
        if length > len(self._content):
            raise DatasetError(CUT_OFF)
        found = bytes(self._content[:length])
        self._content = self._content[length:]
        return found


# --- By libtiff in Pillow and OpenCV, of a small TIFF for each piece ---


def _by_bytes(file: Tiff, layout: Layout, top: int, high: int) -> Iterator[tuple[int, Samples]]:
    """Rows, of which a library only unpacks the bytes: it takes each for a grey pixel."""
    row = (layout.wide * layout.bits * layout.channels + 7) // 8
    width, height = file.size
    if layout.high * row > MAX_STRIP + 9 * width * height // 2:
        raise DatasetError("a TIFF of strips that are too large: save it with smaller ones")
    segments = _segments(file, layout, top // layout.high, -(-high // layout.high))
    many = max(1, STRIP_PIXELS // (layout.wide * layout.across))
    # Tiles are unpacked one by one, strips together.
    together = [[segment] for segment in segments] if layout.tiled else [segments]
    tall = layout.high if layout.tiled else high
    streams = [
        _unpacked(_small_tiff(file, layout, (row, tall), part, as_bytes=True), many)
        for part in together
    ]
    at = top
    for parts in zip(*streams, strict=True):
        rows = min(len(parts[0]), top + high - at)
        if rows > 0:
            sides = [_samples(part[:rows].tobytes(), rows, file.order, layout) for part in parts]
            yield at, sides[0] if len(sides) == 1 else np.concatenate(sides, axis=1)
        at += len(parts[0])


def _by_pixels(file: Tiff, layout: Layout, top: int, high: int) -> Iterator[tuple[int, Samples]]:
    width, _ = file.size
    segments = _segments(file, layout, top // layout.high, -(-high // layout.high))
    if layout.compression == JPEG:
        for segment in segments:
            _check_jpeg(file, layout, bytes(segment))
    small = _small_tiff(file, layout, (width, high), segments)
    if layout.photometric == YCBCR and layout.compression != JPEG:
        cv2 = opencv()
        pixels = imdecode(small, cv2.IMREAD_COLOR)
        yield top, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return
    at = top
    for rows in _unpacked(small, max(1, STRIP_PIXELS // width)):
        yield at, rows.reshape(*rows.shape[:2], -1)
        at += len(rows)


def _check_jpeg(file: Tiff, layout: Layout, content: bytes) -> None:
    """libtiff drops libjpeg's warnings of damage."""
    tables = file.entries.get(347)
    if tables is not None:
        content = tables.content.removesuffix(b"\xff\xd9") + content.removeprefix(b"\xff\xd8")
    width, height = Jpeg(content).size
    if width > layout.wide + 15 or height > layout.high + 15:  # some fill up to whole blocks
        raise DatasetError(DAMAGED)
    decode_jpeg(content)


def _unpacked(small: bytes, many: int) -> Iterator[Samples]:
    """Pillow's pixels of a small TIFF, so many rows at a time."""
    from PIL import Image

    _silence_libtiff()
    try:
        with Image.open(io.BytesIO(small), formats=["TIFF"]) as image:
            image.load()
            for first in range(0, image.height, many):
                last = min(first + many, image.height)
                rows: Samples = np.asarray(image.crop((0, first, image.width, last)))
                yield rows.astype(np.uint8) if rows.dtype == np.bool_ else rows
    except (OSError, SyntaxError, ValueError, TypeError, EOFError) as error:
        raise DatasetError(f"{DAMAGED}, or not a TIFF that Pillow reads: {error}") from error


@cache
def _silence_libtiff() -> None:
    """Pillow's libtiff would print a line for every damaged file: Pillow raises an error, too.

    It is told so where it comes in Pillow's wheel; elsewhere the line remains.
    """
    import PIL

    for library in Path(PIL.__file__).parents[1].glob("pillow.libs/libtiff-*"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)


# What a decompressor needs to know, besides what is written anew.
_KEPT: Final[tuple[int, ...]] = (266, 292, 293, 347, 529, 530, 531, 532)


def _small_tiff(
    file: Tiff,
    layout: Layout,
    size: tuple[int, int],
    segments: Sequence[memoryview],
    *,
    as_bytes: bool = False,
) -> bytes:
    """A TIFF of some strips, or one of tiles: upright, without alpha, black is zero.

    ``size``: width and height. ``as_bytes``: each byte is a pixel.
    """
    order = file.order
    width, height = size
    channels, bits = (1, 8) if as_bytes else (layout.channels, layout.bits)
    photometric = layout.photometric
    if channels < 3:
        photometric = BLACK_IS_ZERO
    elif photometric not in (YCBCR, CMYK):
        photometric = IS_RGB
    places, at = [], 8
    for segment in segments:
        places.append(at)
        at += len(segment) + len(segment) % 2

    def numbers(*values: int) -> TiffEntry:
        return TiffEntry(4, len(values), struct.pack(f"{order}{len(values)}I", *values))

    def shorts(*values: int) -> TiffEntry:
        return TiffEntry(3, len(values), struct.pack(f"{order}{len(values)}H", *values))

    entries: dict[int, TiffEntry] = {tag: file.entries[tag] for tag in _KEPT if tag in file.entries}
    entries |= {
        256: numbers(width),
        257: numbers(height),
        258: shorts(*[bits] * channels),
        259: shorts(layout.compression),
        262: shorts(photometric),
        277: shorts(channels),
    }
    many = numbers(*places), numbers(*[len(segment) for segment in segments])
    if layout.tiled and not as_bytes:
        entries |= {322: numbers(layout.wide), 323: numbers(layout.high)}
        entries[324], entries[325] = many
    else:
        # A tile that is unpacked alone is a strip.
        entries[278] = numbers(layout.high)
        entries[273], entries[279] = many
    extra = channels - {BLACK_IS_ZERO: 1, CMYK: 4}.get(photometric, 3)
    if extra > 0:
        entries[338] = shorts(*[2, *[0] * (extra - 1)])
    head = b"II*\0" if order == "<" else b"MM\0*"
    body = b"".join(bytes(segment) + b"\0" * (len(segment) % 2) for segment in segments)
    return head + struct.pack(order + "I", at) + body + _directory(entries, at, order)


def _directory(entries: dict[int, TiffEntry], at: int, order: str) -> bytes:
    behind = at + 2 + 12 * len(entries) + 4
    fields, extra = [struct.pack(order + "H", len(entries))], b""
    for tag, entry in sorted(entries.items()):
        fields.append(struct.pack(order + "HHI", tag, entry.type, entry.values))
        if len(entry.content) > 4:
            fields.append(struct.pack(order + "I", behind + len(extra)))
            extra += entry.content + b"\0" * (len(entry.content) % 2)
        else:
            fields.append(entry.content.ljust(4, b"\0"))
    return b"".join(fields) + b"\0\0\0\0" + extra
