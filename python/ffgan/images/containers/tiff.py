# SPDX-License-Identifier: GPL-3.0-or-later
"""TIFF 6.0, section 2, and BigTIFF; EXIF uses the structure, too."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Final, NamedTuple

from ffgan.errors import DatasetError
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, OUT_OF_BOUNDS, Container

_ORIENTATION_TAG: Final = 0x0112
_PROFILE_TAG: Final = 34675

_TYPE_SIZES: Final = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
_WHOLE_NUMBERS: Final = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_SUBFILE_TYPE: Final = 254
_THUMBNAIL, _MASK = 1, 4
_INNER: Final = 330
_MOST: Final = 64  # directories that are looked at

# Of all tags those that are used: many may point to the same bytes, of which each would hold some.
_PLACES: Final = frozenset({273, 279, 324, 325})
_LARGE: Final = frozenset({320, 347, _PROFILE_TAG})  # a palette, JPEG tables, a profile
_USED: Final = (
    _PLACES
    | _LARGE
    | {_SUBFILE_TYPE, _INNER, _ORIENTATION_TAG}
    | {256, 257, 258, 259, 262, 266, 277, 278, 284, 292, 293, 317, 322, 323, 332, 338, 339}
    | {529, 530, 531, 532}
)

MAX_STRIPS: Final = 1 << 18
"""More strips or tiles are refused."""

MAX_TAGS: Final = 1 << 12
"""A directory of more tags is refused."""

_MAX_VALUES: Final = 1 << 10  # of all others


class TiffEntry(NamedTuple):
    """A tag's type, the number of its values, and their bytes."""

    type: int
    values: int
    content: bytes


class Tiff(Container):
    """A directory of tags, and the strips or tiles that it points to."""

    kind = "TIFF"
    _first: dict[int, TiffEntry]

    @property
    def order(self) -> str:
        """That of the bytes, as `struct` writes it."""
        return "<" if self.data.startswith(b"II") else ">"

    @cached_property
    def entries(self) -> dict[int, TiffEntry]:
        """The tags of the picture's directory; those of a type that does not exist are left out.

        That is the first directory. Where that one says of itself that it is a thumbnail, as in
        TIFF/EP, it is the next one that does not.
        """
        big = struct.unpack_from(self.order + "H", self.data, 2)[0] == 43
        waiting = list(
            struct.unpack_from(self.order + ("Q" if big else "I"), self.data, 8 if big else 4)
        )
        seen: set[int] = set()
        while waiting and len(seen) < _MOST:
            place = waiting.pop(0)
            if not place or place in seen:
                continue
            seen.add(place)
            found, following = self._directory(place, big)
            if len(seen) == 1:
                self._first = found
            if not self._numbers(found, _SUBFILE_TYPE)[0] & (_THUMBNAIL | _MASK):
                return found
            waiting += [*self._numbers(found, _INNER), following]
        return self._first

    def _directory(self, place: int, big: bool) -> tuple[dict[int, TiffEntry], int]:
        """The tags of one directory, and the place of the next."""
        order = self.order
        if place > len(self.data):
            raise DatasetError(CUT_OFF)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), self.data, place)
        first, length = place + (8 if big else 2), 20 if big else 12
        inline, word = (8, "Q") if big else (4, "I")
        end = first + count * length
        if end > len(self.data):
            raise DatasetError(CUT_OFF)
        if count > MAX_TAGS:
            raise DatasetError(DAMAGED)
        entries = {}
        for entry in range(first, end, length):
            tag, kind, values = struct.unpack_from(f"{order}HH{word}", self.data, entry)
            if tag not in _USED:
                continue
            size = values * _TYPE_SIZES.get(kind, 0)
            at = entry + length - inline
            if size > inline:
                (at,) = struct.unpack_from(order + word, self.data, at)
            if at + size > len(self.data) and kind in _WHOLE_NUMBERS:
                raise DatasetError(CUT_OFF)
            if tag in _PLACES and values > MAX_STRIPS:
                raise DatasetError("a TIFF of too many strips")
            if tag not in _PLACES | _LARGE and values > _MAX_VALUES:
                raise DatasetError(DAMAGED)
            if size and at + size <= len(self.data):
                entries[tag] = TiffEntry(kind, values, self.data[at : at + size])
        if end + inline > len(self.data):  # some end with their last entry
            return entries, 0
        return entries, int(struct.unpack_from(order + word, self.data, end)[0])

    def _numbers(self, entries: dict[int, TiffEntry], tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag, 0 where it is not there."""
        entry = entries.get(tag)
        if entry is None or entry.type not in _WHOLE_NUMBERS:
            return (0,)
        return struct.unpack(
            f"{self.order}{entry.values}{_WHOLE_NUMBERS[entry.type]}", entry.content
        )

    @cached_property
    def tags(self) -> dict[int, tuple[int, ...]]:
        """The tags of whole numbers of the picture's directory."""
        return {
            tag: self._numbers(self.entries, tag)
            for tag, entry in self.entries.items()
            if entry.type in _WHOLE_NUMBERS
        }

    def _colour_space(self) -> ColourSpace | None:
        profile = self.entries.get(_PROFILE_TAG)
        is_lab = self.tags.get(262, (0,))[0] in (8, 9)
        return None if profile is None or is_lab else ColourSpace(icc=profile.content)

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
        # Behind a thumbnail the directory of that may speak for all of them.
        own, first = self.tags.get(_ORIENTATION_TAG), self._first
        (orientation, *_) = own or self._numbers(first, _ORIENTATION_TAG)
        return (orientation if 1 <= orientation <= 8 else 1), self.data


def exif_orientation(exif: bytes) -> int:
    """1 to 8; 1, as it stands, when the EXIF data do not say or are damaged.

    Only the tag itself has to be there: programs leave others whose values are gone.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    if not exif.startswith((b"II*\0", b"MM\0*")):
        return 1
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (place,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, place)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, _ = struct.unpack_from(order + "HHI", exif, entry)
            if tag == _ORIENTATION_TAG and kind in _WHOLE_NUMBERS:
                (value,) = struct.unpack_from(order + ("H" if kind == 3 else "I"), exif, entry + 8)
                return value if 1 <= value <= 8 else 1
    except OUT_OF_BOUNDS:
        return 1
    return 1
