# SPDX-License-Identifier: GPL-3.0-or-later
"""TIFF 6.0, section 2; EXIF uses its structure, too."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, OUT_OF_BOUNDS, Container

_ORIENTATION_TAG: Final = 0x0112
_PROFILE_TAG: Final = 34675


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

    def _colour_space(self) -> ColourSpace | None:
        order = "<" if self.data.startswith(b"II") else ">"
        (directory,) = struct.unpack_from(order + "I", self.data, 4)
        (count,) = struct.unpack_from(order + "H", self.data, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, _, length, place = struct.unpack_from(order + "HHII", self.data, entry)
            if tag == _PROFILE_TAG:
                return ColourSpace(icc=self.data[place : place + length])
        return None

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


def exif_orientation(exif: bytes) -> int:
    """1 to 8; 1, as it stands, when the EXIF data do not say or are damaged."""
    try:
        orientation = Tiff(exif).tags.get(_ORIENTATION_TAG, (1,))[0]
    except (*OUT_OF_BOUNDS, DatasetError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1
