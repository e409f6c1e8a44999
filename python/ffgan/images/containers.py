# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of JPEG, PNG, WebP, BMP and TIFF files: what OpenCV does not tell.

The size before anything is allocated, EXIF orientation, whether the file is whole. Each format has
a class; an object holds a file's bytes and parses them once.
"""

from __future__ import annotations

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import ClassVar, Final

from ffgan.errors import DatasetError
from ffgan.images.lazy_opencv import opencv_version

DAMAGED: Final = "the file is damaged"
CUT_OFF: Final = "the file is cut off"
PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
_ORIENTATION_TAG: Final = 0x0112
_OUT_OF_BOUNDS: Final = (struct.error, IndexError)


class Container(ABC):
    """An image file's bytes, ``data``, by its structure."""

    kind: ClassVar[str]

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels, as the header says: EXIF orientation is not applied.

        Mostly the file's first 64 KB are enough. Raises DatasetError where there is no such header.
        """
        try:
            width, height = self._size()
        except _OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error
        if width < 1 or height < 1:
            raise DatasetError(DAMAGED)
        return width, height

    def check(self) -> tuple[int, bytes]:
        """EXIF orientation, 1 to 8, and the bytes to decode.

        Raises DatasetError for a file whose structure is damaged or which is cut off.
        """
        try:
            return self._check()
        except _OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error

    @abstractmethod
    def _size(self) -> tuple[int, int]: ...

    @abstractmethod
    def _check(self) -> tuple[int, bytes]: ...


def container(data: bytes) -> Container:
    """The structure of a file by its first bytes.

    Raises DatasetError unless it is a JPEG, PNG, WebP, BMP or TIFF.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return Jpeg(data)
    if data.startswith(PNG_SIGNATURE):
        return Png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebP(data)
    if data.startswith(b"BM"):
        return Bmp(data)
    if data.startswith((b"II*\0", b"MM\0*")):
        return Tiff(data)
    raise DatasetError("the file is empty" if not data else "not a JPEG, PNG, WebP, BMP or TIFF")


def file_type(data: bytes) -> str:
    """JPEG, PNG, WebP, BMP or TIFF, by the first bytes; raises DatasetError for anything else."""
    return container(data).kind


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height, in pixels, as the header says; mostly the file's first 64 KB are enough.

    EXIF orientation is not applied. Raises DatasetError where there is no such header.
    """
    return container(data).size


# --- JPEG (ITU-T T.81, annex B) ---


class Jpeg(Container):
    """Segments, each with a marker, and behind them the scans."""

    kind = "JPEG"

    def segments(self) -> Iterator[tuple[int, int, int]]:
        """Marker, first and last+1 byte of the content of each segment, up to the first scan's.

        Raises DatasetError, struct.error or IndexError behind the last segment that is whole.
        """
        found, error = self._walked
        yield from found
        if error is not None:
            raise error

    @cached_property
    def _walked(self) -> tuple[list[tuple[int, int, int]], Exception | None]:
        found = []
        try:
            for segment in self._walk():
                found.append(segment)  # those before an error count
        except (*_OUT_OF_BOUNDS, DatasetError) as error:
            return found, error
        return found, None

    def _walk(self) -> Iterator[tuple[int, int, int]]:
        data, position = self.data, 2
        while True:
            if data[position] != 0xFF:
                raise DatasetError(DAMAGED)
            while data[position] == 0xFF:
                position += 1
            marker = data[position]
            if marker == _END_OF_IMAGE:
                raise DatasetError(DAMAGED)
            (length,) = struct.unpack_from(">H", data, position + 1)
            if length < 2:
                raise DatasetError(DAMAGED)
            yield marker, position + 3, position + 1 + length
            if marker == _START_OF_SCAN:
                return
            position += 1 + length

    @property
    def sequential(self) -> bool:
        """Whether the pixels can be decoded line by line."""
        marker, _ = self._frame()
        return marker in (0xC0, 0xC1)

    def _frame(self) -> tuple[int, int]:
        for marker, start, _ in self.segments():
            if marker in _START_OF_FRAME:
                return marker, start
        raise DatasetError(DAMAGED)

    def _size(self) -> tuple[int, int]:
        _, start = self._frame()
        precision, height, width = struct.unpack_from(">BHH", self.data, start)
        if precision != 8:
            raise DatasetError(f"a JPEG of {precision} bits per sample, only 8 are supported")
        return width, height

    def _check(self) -> tuple[int, bytes]:
        orientation, scan = 1, 0
        for marker, start, end in self.segments():
            if marker == 0xE1 and self.data.startswith(b"Exif\0\0", start):
                orientation = _exif_orientation(self.data[start + 6 : end])
            scan = end
        # Scan data escapes each 0xFF, so these two bytes are the end of the image and nothing else.
        if self.data.find(b"\xff\xd9", scan) < 0:
            raise DatasetError(CUT_OFF)
        return orientation, self.data


# --- PNG (ISO/IEC 15948, chapter 5) ---


class Png(Container):
    """Chunks, each with a checksum."""

    kind = "PNG"

    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        """Type, first and last+1 byte of each whole chunk (length and CRC included)."""
        position = len(PNG_SIGNATURE)
        while True:
            (length,) = struct.unpack_from(">I", self.data, position)
            end = position + 12 + length
            if end > len(self.data):
                raise DatasetError(CUT_OFF)
            kind = self.data[position + 4 : position + 8]
            yield kind, position, end
            if kind == b"IEND":
                return
            position = end

    def _size(self) -> tuple[int, int]:
        if self.data[12:16] != b"IHDR":
            raise DatasetError(CUT_OFF if len(self.data) < 16 else DAMAGED)
        width, height = struct.unpack_from(">II", self.data, 16)
        return width, height

    def _check(self) -> tuple[int, bytes]:
        orientation = 1
        # Only what makes the pixels goes to the decoder: the rest is what libpng prints warnings
        # about.
        kept = [PNG_SIGNATURE]
        for kind, start, end in self.chunks():
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
                chunk = self.data[start:end]
                if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                    raise DatasetError(f"{DAMAGED}: wrong checksum")
                kept.append(chunk)
            elif kind == b"eXIf":
                orientation = _exif_orientation(self.data[start + 8 : end - 4])
        return orientation, b"".join(kept)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """The bytes of a chunk."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


# --- WebP (RFC 9649, section 2) ---


class WebP(Container):
    """A RIFF file of chunks."""

    kind = "WebP"

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """Type and content of each chunk."""
        position, end = 12, 8 + struct.unpack_from("<I", self.data, 4)[0]
        if end > len(self.data):
            raise DatasetError(CUT_OFF)
        while position + 8 <= end:
            kind, length = struct.unpack_from("<4sI", self.data, position)
            yield kind, self.data[position + 8 : position + 8 + length]
            position += 8 + length + length % 2

    def _size(self) -> tuple[int, int]:
        kind, _, payload = struct.unpack_from("<4sI10s", self.data, 12)
        if kind == b"VP8X":
            width = int.from_bytes(payload[4:7], "little") + 1
            height = int.from_bytes(payload[7:10], "little") + 1
        elif kind == b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", payload, 6))
        elif kind == b"VP8L":
            bits = int.from_bytes(payload[1:5], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        else:
            raise DatasetError(DAMAGED)
        return width, height

    def _check(self) -> tuple[int, bytes]:
        orientation = 1
        for kind, content in self.chunks():
            if kind == b"EXIF":
                orientation = _exif_orientation(content.removeprefix(b"Exif\0\0"))
            elif kind == b"ANIM" and opencv_version() < (4, 11):
                raise DatasetError("an animated WebP needs OpenCV 4.11 or later")
        return orientation, self.data


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    """The bytes of a chunk, filled up to an even length."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def webp_file(chunks: bytes) -> bytes:
    """The bytes of a WebP file of the chunks given."""
    return riff_chunk(b"RIFF", b"WEBP" + chunks)


# --- BMP ---


class Bmp(Container):
    """A header of 12 bytes (OS/2) or 40 and more (Windows)."""

    kind = "BMP"

    @cached_property
    def _header(self) -> int:
        (length,) = struct.unpack_from("<I", self.data, 14)
        return int(length)

    def _size(self) -> tuple[int, int]:
        width, height = struct.unpack_from("<HH" if self._header == 12 else "<ii", self.data, 18)
        return width, abs(height)

    def _check(self) -> tuple[int, bytes]:
        old = self._header == 12
        width, height = self._size()
        (first,) = struct.unpack_from("<I", self.data, 10)
        (bits,) = struct.unpack_from("<H", self.data, 24 if old else 28)
        compression = 0 if old else struct.unpack_from("<I", self.data, 30)[0]
        row = (width * bits + 31) // 32 * 4
        if compression in (0, 3) and first + row * height > len(self.data):
            raise DatasetError(CUT_OFF)
        return 1, self.data  # a BMP has no orientation


# --- TIFF 6.0, section 2; EXIF uses its structure, too ---


class Tiff(Container):
    """A directory of tags, and the strips or tiles that it points to."""

    kind = "TIFF"

    @cached_property
    def tags(self) -> dict[int, tuple[int, ...]]:
        """The tags of whole numbers of the first directory."""
        order = "<" if self.data.startswith(b"II") else ">"
        (directory,) = struct.unpack_from(order + "I", self.data, 4)
        (count,) = struct.unpack_from(order + "H", self.data, directory)
        tags = {}
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", self.data, entry)
            if kind in (3, 4):
                letter, width = ("H", 2) if kind == 3 else ("I", 4)
                at = entry + 8
                if values * width > 4:
                    (at,) = struct.unpack_from(order + "I", self.data, at)
                if at + values * width > len(self.data):
                    raise DatasetError(CUT_OFF)
                tags[tag] = struct.unpack_from(f"{order}{values}{letter}", self.data, at)
        return tags

    def _size(self) -> tuple[int, int]:
        try:
            return self.tags[256][0], self.tags[257][0]
        except KeyError as error:
            raise DatasetError(DAMAGED) from error

    def _check(self) -> tuple[int, bytes]:
        for offsets, counts in ((273, 279), (324, 325)):
            pairs = zip(self.tags.get(offsets, ()), self.tags.get(counts, ()), strict=False)
            if any(offset + count > len(self.data) for offset, count in pairs):
                raise DatasetError(CUT_OFF)
        return 1, self.data  # OpenCV turns a TIFF itself, whatever the flags


def _exif_orientation(exif: bytes) -> int:
    """1 to 8; 1, as it stands, when the EXIF data do not say or are damaged."""
    try:
        orientation = Tiff(exif).tags.get(_ORIENTATION_TAG, (1,))[0]
    except (*_OUT_OF_BOUNDS, DatasetError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1
