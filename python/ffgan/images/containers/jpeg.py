# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, OUT_OF_BOUNDS, Container
from ffgan.images.containers.tiff import exif_orientation

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_TABLES: Final = 0xC4
_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
_RESTART_INTERVAL: Final = 0xDD
_JFIF: Final = 0xE0
_EXIF: Final = 0xE1
_ADOBE: Final = 0xEE
_PROFILE: Final = b"ICC_PROFILE\0"

_APPLICATION: Final = frozenset(range(0xE0, 0xF0))
# What may stand between scans, or before the first: tables, and what carries no pixel.
_SEGMENTS: Final = (
    _START_OF_FRAME | _APPLICATION | {_HUFFMAN_TABLES, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE}
)

# Scan data escape each 0xFF by a zero, and only restart markers stand inside.
_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_BEHIND_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

MAX_SCANS: Final = 200
"""More are refused: each goes over all pixels, and real files have some ten."""


MAX_SEGMENTS: Final = 1 << 15
"""More before or behind one scan are refused: a file of 512 MiB has a quarter, if they are full."""


class Jpeg(Container):
    """Segments, each with a marker, and behind them the scans."""

    kind = "JPEG"

    def segments(self) -> Iterator[tuple[int, int, int]]:
        """Marker, first and last+1 byte of the content of each segment, up to the first scan's.

        Bytes that belong to no segment are passed over. Raises DatasetError behind the last segment
        that is whole.
        """
        found, error = self._walked
        yield from found
        if error is not None:
            raise error

    @cached_property
    def _walked(self) -> tuple[list[tuple[int, int, int]], DatasetError | None]:
        found = []
        try:
            for segment in self._walk(2):
                found.append(segment)  # those before an error count
        except OUT_OF_BOUNDS:
            return found, DatasetError(CUT_OFF)
        except DatasetError as error:
            return found, error
        return found, None

    def _walk(self, position: int) -> Iterator[tuple[int, int, int]]:
        """The segments from a position on, up to the next scan's or the end of the image."""
        for _ in range(MAX_SEGMENTS):
            marker, position = self._next_marker(position)
            if marker == _END_OF_IMAGE:
                yield marker, position, position
                return
            if marker not in _SEGMENTS:
                raise DatasetError(DAMAGED)
            (length,) = struct.unpack_from(">H", self.data, position)
            if length < 2:
                raise DatasetError(DAMAGED)
            yield marker, position + 2, position + length
            if marker == _START_OF_SCAN:
                return
            position += length
        raise DatasetError(f"a JPEG of more than {MAX_SEGMENTS} segments")

    def _next_marker(self, position: int) -> tuple[int, int]:
        """The next marker and the byte behind it. Cameras fill up with zeros, 0xFF and others."""
        data = self.data
        if data[position] == 0 and data[position + 1] in _APPLICATION:
            # A segment whose marker begins with 0 instead of 0xFF, as phones have written it.
            (length,) = struct.unpack_from(">H", data, position + 2)
            if data[position + 2 + length] == 0xFF:
                position += 2 + length
        if position >= len(data):
            raise DatasetError(CUT_OFF)
        found = _MARKER.search(data, position)
        if found is None:
            raise DatasetError(CUT_OFF)
        return data[found.start() + 1], found.end()

    @cached_property
    def scans(self) -> list[tuple[int, int, int]]:
        """First and last+1 byte of the content of each scan's header, last+1 byte of its data.

        Raises DatasetError where the structure is damaged, or ends before the image does.
        """
        scans = []
        segments = list(self.segments())
        try:
            while segments[-1][0] == _START_OF_SCAN:
                _, start, end = segments[-1]
                found = _BEHIND_SCAN.search(self.data, end)
                if found is None:
                    raise DatasetError(CUT_OFF)
                scans.append((start, end, found.start()))
                if len(scans) > MAX_SCANS:
                    raise DatasetError(f"a JPEG of more than {MAX_SCANS} scans")
                segments = list(self._walk(found.start()))
        except OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error
        if not scans:
            raise DatasetError(DAMAGED)
        return scans

    @property
    def sequential(self) -> bool:
        """Whether the pixels can be decoded line by line."""
        marker, _ = self._frame()
        return marker in (0xC0, 0xC1)

    @property
    def restarts(self) -> bool:
        """Whether there may be restart markers in the scans."""
        return any(marker == _RESTART_INTERVAL for marker, _, _ in self.segments())

    def _frame(self) -> tuple[int, int]:
        for marker, start, _ in self.segments():
            if marker in _START_OF_FRAME:
                return marker, start
        raise DatasetError(DAMAGED)

    @property
    def components(self) -> int:
        """1: grey, 3: colours, 4: inks."""
        return self.data[self._frame()[1] + 5]

    def _colour_space(self) -> ColourSpace | None:
        parts: dict[int, bytes] = {}
        count = 0
        for marker, start, end in self.segments():
            if marker == 0xE2 and self.data.startswith(_PROFILE, start):
                number, count = self.data[start + 12], self.data[start + 13]
                parts[number] = self.data[start + 14 : end]
        if not parts:
            return None
        if sorted(parts) != list(range(1, count + 1)):
            return ColourSpace(damaged=True)
        return ColourSpace(icc=b"".join(parts[number] for number in sorted(parts)))

    def _size(self) -> tuple[int, int]:
        marker, start = self._frame()
        precision, height, width, _ = struct.unpack_from(">BHHB", self.data, start)
        if precision != 8:
            raise DatasetError(f"a JPEG of {precision} bits per sample, only 8 are supported")
        if marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA):
            raise DatasetError("a lossless or hierarchical JPEG, which is not supported")
        return width, height

    def _check(self) -> tuple[int, bytes]:
        if not self.scans:
            raise DatasetError(DAMAGED)
        # The first one counts: what is too long for a segment goes on in another.
        exif = next(
            (
                self.data[start:end]
                for marker, start, end in self.segments()
                if marker == _EXIF and self.data.startswith(b"Exif\0\0", start)
            ),
            b"",
        )
        return exif_orientation(exif), self.data

    def put_right(self, zeros: int | None = 0) -> bytes:
        """The same image without what libjpeg warns of though it costs no pixel.

        Application segments go, but for JFIF's and Adobe's, which name the colours: these get a
        version and a transform that libjpeg knows. The headers of sequential scans get the only
        values that they can have. Comments and bytes between segments before the first scan go.
        What is decoded stays the same: libjpeg takes each of these for what it is made here.

        So do zeros before a marker behind the pixels of a scan, or of a part of it, but ``zeros``
        of them, None: all. They may be left over, or belong to the pixels: a scan ends in a zero
        where its last code does, at the end of a byte.
        """
        kept = [b"\xff\xd8"]
        for marker, start, end in self.segments():
            content = bytearray(self.data[start:end])
            if marker == _JFIF and content.startswith(b"JFIF\0") and len(content) >= 14:
                content[5:7] = b"\1\2"
            elif marker == _ADOBE and content.startswith(b"Adobe") and len(content) >= 12:
                if content[11] not in ((0, 2) if self.components == 4 else (0, 1)):
                    content[11] = 2 if self.components == 4 else 1
            elif marker in _APPLICATION or marker == 0xFE or marker == _START_OF_SCAN:
                continue
            kept.append(bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content)
        behind = 0
        for start, end, last in self.scans:
            tables = self.data[behind : start - 4] if behind else b""
            header = self.data[start:end]
            if self.sequential:
                header = header[:-3] + b"\0\x3f\0"
            length = struct.pack(">H", len(header) + 2)
            kept += [tables, b"\xff\xda", length, header, _ended(self.data[end:last], zeros)]
            behind = last
        return b"".join([*kept, b"\xff\xd9"])


def _ended(scan: bytes, zeros: int | None) -> bytes:
    """A scan's data with so many zeros at most at the end, and before its restart markers."""
    if zeros is None:
        return scan
    scan = _ZEROS_BEFORE_RESTART.sub(lambda found: found[0][:zeros], scan)
    whole = scan.rstrip(b"\0")
    kept = len(whole) + (1 if whole.endswith(b"\xff") else 0)
    return scan[: kept + zeros]


_ZEROS_BEFORE_RESTART: Final = re.compile(rb"(?<!\xff)\x00+(?=\xff[\xd0-\xd7])")
