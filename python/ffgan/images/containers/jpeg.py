# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG (ITU-T T.81, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, OUT_OF_BOUNDS, Container
from ffgan.images.containers.tiff import exif_orientation

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
_PROFILE: Final = b"ICC_PROFILE\0"


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
        except (*OUT_OF_BOUNDS, DatasetError) as error:
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
        _, start = self._frame()
        precision, height, width = struct.unpack_from(">BHH", self.data, start)
        if precision != 8:
            raise DatasetError(f"a JPEG of {precision} bits per sample, only 8 are supported")
        return width, height

    def _check(self) -> tuple[int, bytes]:
        orientation, scan = 1, 0
        for marker, start, end in self.segments():
            if marker == 0xE1 and self.data.startswith(b"Exif\0\0", start):
                orientation = exif_orientation(self.data[start + 6 : end])
            scan = end
        # Scan data escapes each 0xFF, so these two bytes are the end of the image and nothing else.
        if self.data.find(b"\xff\xd9", scan) < 0:
            raise DatasetError(CUT_OFF)
        damaged = self.colour_space is not None and self.colour_space.damaged
        return orientation, self._without_profile() if damaged else self.data

    def _without_profile(self) -> bytes:
        """The file without a profile over which libjpeg would stumble."""
        kept, position = [], 0
        for marker, start, end in self.segments():
            if marker == 0xE2 and self.data.startswith(_PROFILE, start):
                kept.append(self.data[position : start - 4])
                position = end
        return b"".join([*kept, self.data[position:]])
