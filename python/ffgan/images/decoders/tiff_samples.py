# SPDX-License-Identifier: GPL-3.0-or-later
"""The samples of a TIFF, piece by piece: decompressed, and put side by side."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import CUT_OFF, DAMAGED, Tiff
from ffgan.images.containers.tiff import TiffEntry
from ffgan.images.decoders.jpeg import decode_jpeg
from ffgan.images.decoders.opencv import imdecode
from ffgan.images.decoders.tiff_layout import (
    BLACK_IS_ZERO,
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
"""Most bytes of 16-bit samples that are decompressed at once by a library."""


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
        many = 1 if layout.tiled else max(1, STRIP_PIXELS // (layout.wide * layout.high))
        for top in range(0, height, layout.high * many):
            yield from _by_library(file, layout, top, min(layout.high * many, height - top))


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
        _Plain(segment) if layout.compression == PLAIN else _Deflated(segment)
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


class _Deflated:
    """Bytes, inflated as they are read."""

    def __init__(self, content: memoryview) -> None:
        self._pending: bytes | memoryview = content
        self._stream = zlib.decompressobj()

    def read(self, length: int) -> bytes:
        try:
            found = self._stream.decompress(self._pending, length)
        except zlib.error as error:
            raise DatasetError(f"{DAMAGED}: {error}") from error
        self._pending = self._stream.unconsumed_tail
        if len(found) < length:
            raise DatasetError(f"{DAMAGED}: too few pixels")
        return found


# --- By a library, of a small TIFF for each piece ---

# What a decompressor needs to know, besides what is written anew.
_KEPT: Final[tuple[int, ...]] = (266, 292, 293, 317, 322, 323, 347, 529, 530, 531, 532)


def _by_library(file: Tiff, layout: Layout, top: int, high: int) -> Iterator[tuple[int, Samples]]:
    width, _ = file.size
    first, many = top // layout.high, -(-high // layout.high)
    segments = _segments(file, layout, first, many)
    if layout.compression == JPEG:
        for segment in segments:
            _check_jpeg(file, bytes(segment))
    small = _small_tiff(file, layout, width, high, segments)
    if layout.bits == 16:
        if high * width * layout.channels * 2 > MAX_STRIP:
            raise DatasetError(
                "a TIFF of 16 bits in strips that are too large: save it with smaller strips, "
                "or of 8 bits"
            )
        yield top, _sixteen_bits(small, layout)
    elif layout.photometric == YCBCR and layout.compression != JPEG:
        cv2 = opencv()
        pixels = imdecode(small, cv2.IMREAD_COLOR)
        yield top, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    else:
        yield from _eight_bits(small, layout, top)


def _check_jpeg(file: Tiff, content: bytes) -> None:
    """libtiff drops libjpeg's warnings of damage."""
    tables = file.entries.get(347)
    if tables is not None:
        content = tables.content.removesuffix(b"\xff\xd9") + content.removeprefix(b"\xff\xd8")
    decode_jpeg(content)


def _sixteen_bits(small: bytes, layout: Layout) -> Samples:
    if layout.channels == 2 or layout.channels > 4:
        raise DatasetError(
            f"a compressed TIFF of {layout.channels} samples of 16 bits, which is not supported"
        )
    cv2 = opencv()
    pixels: Samples = imdecode(small, cv2.IMREAD_UNCHANGED)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.dtype != np.uint16 or pixels.shape[2] != layout.channels:
        raise DatasetError("a TIFF that this version of OpenCV cannot read")
    if layout.channels == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)) if layout.channels == 4 else pixels


def _eight_bits(small: bytes, layout: Layout, top: int) -> Iterator[tuple[int, Samples]]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(small), formats=["TIFF"]) as image:
            image.load()
            rows = max(1, STRIP_PIXELS // image.width)
            for first in range(0, image.height, rows):
                last = min(first + rows, image.height)
                samples: Samples = np.asarray(image.crop((0, first, image.width, last)))
                if samples.dtype == np.bool_:
                    samples = samples.astype(np.uint8)
                elif layout.bits < 8:
                    samples = samples // np.uint8(255 // ((1 << layout.bits) - 1))
                yield top + first, samples.reshape(*samples.shape[:2], -1)
    except (OSError, SyntaxError, ValueError, TypeError, EOFError) as error:
        raise DatasetError(f"{DAMAGED}, or not a TIFF that Pillow reads: {error}") from error


def _small_tiff(
    file: Tiff, layout: Layout, width: int, height: int, segments: Sequence[memoryview]
) -> bytes:
    """A TIFF of some strips or tiles: upright, grey, RGB or with four samples of no meaning."""
    photometric = layout.photometric
    if photometric != YCBCR and not (layout.compression == JPEG and layout.channels == 4):
        photometric = BLACK_IS_ZERO if layout.channels < 3 else IS_RGB
    extra = layout.channels - (1 if layout.channels < 3 else 3)
    if photometric not in (BLACK_IS_ZERO, IS_RGB):
        extra = 0
    places, at = [], 8
    for segment in segments:
        places.append(at)
        at += len(segment) + len(segment) % 2
    order = file.order

    def numbers(*values: int) -> TiffEntry:
        return TiffEntry(4, len(values), struct.pack(f"{order}{len(values)}I", *values))

    def shorts(*values: int) -> TiffEntry:
        return TiffEntry(3, len(values), struct.pack(f"{order}{len(values)}H", *values))

    entries: dict[int, TiffEntry] = {tag: file.entries[tag] for tag in _KEPT if tag in file.entries}
    entries |= {
        256: numbers(width),
        257: numbers(height),
        258: shorts(*[layout.bits] * layout.channels),
        259: shorts(layout.compression),
        262: shorts(photometric),
        277: shorts(layout.channels),
        (324 if layout.tiled else 273): numbers(*places),
        (325 if layout.tiled else 279): numbers(*[len(segment) for segment in segments]),
    }
    if not layout.tiled:
        entries[278] = numbers(layout.high)
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
