# SPDX-License-Identifier: GPL-3.0-or-later
"""AVIF and HEIC: image items in the ISO base media file format (ISO/IEC 14496-12, 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from ffgan.errors import DatasetError
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers.av1 import coded_size
from ffgan.images.containers.base import CUT_OFF, DAMAGED, Container
from ffgan.images.raster import turned

AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})

_ALPHA: Final = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


MAX_ITEMS: Final = 1 << 18
"""More items, places, properties and references, all together, are refused: a tile takes some 7."""


@dataclass
class _Items:
    """The boxes of the box ``meta``, by the number of an item."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    properties: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    data: tuple[int, int] = (0, 0)
    count: int = 0

    def counted(self, more: int = 1) -> None:
        """Raises DatasetError where so many more of anything are too many."""
        self.count += more
        if self.count > MAX_ITEMS:
            raise DatasetError("a file of too many items")


class Isobmff(Container):
    """Boxes; one of them lists items, of which one is the picture."""

    def _size(self) -> tuple[int, int]:
        size = self._property(b"ispe")
        if size is None:
            raise DatasetError(DAMAGED)
        width, height = struct.unpack_from(">II", size, 4)
        return width, height

    def _colour_space(self) -> ColourSpace | None:
        codes = None
        for kind, content in self._properties:
            if kind == b"colr" and content[:4] in (b"prof", b"rICC"):
                return ColourSpace(icc=content[4:])
            if kind == b"colr" and content[:4] == b"nclx":
                codes = struct.unpack_from(">HH", content, 4)
        return None if codes is None else ColourSpace(primaries=codes[0], transfer=codes[1])

    def _check(self) -> tuple[int, bytes]:
        items = self._items
        self._check_tiles()
        for number in self._needed():
            if number not in items.extents:
                raise DatasetError(DAMAGED)
            for method, offset, length in items.extents[number]:
                start, end = items.data if method == 1 else (0, len(self.data))
                if method > 1 or (length == 0 and method == 1):
                    raise DatasetError(DAMAGED)
                if start + offset + length > end:
                    raise DatasetError(CUT_OFF)
            self._check_coded(number)
        return self._orientation(), self.data

    def _check_coded(self, number: int) -> None:
        """Refuse an item whose stream holds many more pixels than the file says."""

    def _orientation(self) -> int:
        """What the decoder leaves to be turned."""
        return 1

    @cached_property
    def _items(self) -> _Items:
        """Raises DatasetError where there is none."""
        for kind, start, end in _boxes(self.data, 0, len(self.data), strict=True):
            if kind == b"meta":
                return _read_items(self.data, start + 4, end)
        raise DatasetError(DAMAGED)

    @cached_property
    def _properties(self) -> list[tuple[bytes, bytes]]:
        """Those of the picture, then those of its first tile: some are told there only."""
        items = self._items
        tiles = self._tiles
        return [
            *items.properties.get(items.primary, []),
            *(items.properties.get(tiles[0], []) if tiles else []),
        ]

    def _property(self, name: bytes) -> bytes | None:
        return next((content for kind, content in self._properties if kind == name), None)

    @property
    def transparent(self) -> bool:
        """Whether the picture, or one of its tiles, has transparency."""
        return bool(self._alphas())

    @property
    def _tiles(self) -> list[int]:
        items = self._items
        if items.kinds.get(items.primary) != b"grid":
            return []
        return self._referred(items.primary)

    def _referred(self, number: int) -> list[int]:
        """The items of which an item is made."""
        return [
            one
            for kind, source, to in self._items.references
            if kind == b"dimg" and source == number
            for one in to
        ]

    def _needed(self) -> set[int]:
        """The items whose bytes make the picture: itself, its tiles, those of its alpha."""
        items = self._items
        needed = {items.primary, *self._referred(items.primary)}
        for alpha in self._alphas():
            needed |= {alpha, *self._referred(alpha)}
        return needed

    def _alphas(self) -> list[int]:
        """The items that hold the alpha of the picture, or of its tiles."""
        items = self._items
        coloured = {items.primary, *self._referred(items.primary)}
        return [
            source
            for kind, source, to in items.references
            if kind == b"auxl"
            and not coloured.isdisjoint(to)
            and dict(items.properties.get(source, [])).get(b"auxC", b"")[4:].startswith(_ALPHA)
        ]

    def _check_tiles(self) -> None:
        """Refuse a grid whose tiles hold many more pixels than the picture."""
        width, height = self.size
        area = 0
        for tile in self._tiles:
            size = dict(self._items.properties.get(tile, [])).get(b"ispe")
            if size is None:
                raise DatasetError(DAMAGED)
            columns, rows = struct.unpack_from(">II", size, 4)
            area += columns * rows
        if area > 4 * width * height + (1 << 20):
            raise DatasetError(DAMAGED)


class Heic(Isobmff):
    """HEVC pictures, as of iPhones. The decoder crops and turns them by the file's properties."""

    kind = "HEIC"


class Avif(Isobmff):
    """AV1 pictures."""

    kind = "AVIF"

    @property
    def bits(self) -> int:
        """Bits of a sample: 8, 10 or 12."""
        configuration = self._property(b"av1C") or bytes(4)
        return {0: 8, 2: 10, 3: 12}.get(configuration[2] >> 5 & 3, 8)

    @property
    def grey_with_alpha(self) -> bool:
        """Whether there is an alpha, and no colours."""
        configuration = self._property(b"av1C") or bytes(4)
        return bool(configuration[2] & 0x10) and len(self._alphas()) > 0

    @cached_property
    def crop(self) -> tuple[slice, slice] | None:
        """Rows and columns of the clean aperture, where there is one that is valid."""
        aperture = self._property(b"clap")
        if aperture is None:
            return None
        values = struct.unpack_from(">IIIIiIiI", aperture)
        if not all(values[1::2]):
            return None
        spans = []
        sizes = (self.size[1], self.size[0])
        for side, (extent, divisor, offset, parts) in zip(
            sizes, ((*values[2:4], *values[6:8]), (*values[0:2], *values[4:6])), strict=True
        ):
            length, rest = divmod(extent, divisor)
            first = (side - length) / 2 + offset / parts
            if rest or length < 1 or first != int(first) or not 0 <= first <= side - length:
                return None
            spans.append(slice(int(first), int(first) + length))
        return spans[0], spans[1]

    def _check_coded(self, number: int) -> None:
        items = self._items
        if items.kinds.get(number) != b"av01":
            return
        size = dict(items.properties.get(number, [])).get(b"ispe", bytes(12))
        width, height = struct.unpack_from(">II", size, 4)
        method, offset, length = (*items.extents[number], (0, 0, 0))[0]
        start = offset + (items.data[0] if method == 1 else 0)
        # Its decoder would first make the whole of it. A stream without a size it refuses itself.
        columns, rows = coded_size(self.data[start : start + min(length, 4096)]) or (0, 0)
        if columns * rows > 2 * width * height + (1 << 20):
            raise DatasetError(DAMAGED)

    def _orientation(self) -> int:
        """EXIF's number for the turns and mirrorings, in the order in which the file has them."""
        corners = np.arange(4, dtype=np.uint8).reshape(2, 2, 1)
        upright = corners
        for kind, content in self._items.properties.get(self._items.primary, []):
            if kind == b"irot":
                upright = np.rot90(upright, content[0] & 3)
            elif kind == b"imir":
                upright = np.flip(upright, content[0] & 1)
        return next(
            number for number in range(1, 9) if np.array_equal(turned(corners, number), upright)
        )


def brands(data: bytes) -> set[bytes]:
    """The brands of a file that begins with the box ``ftyp``."""
    if data[4:8] != b"ftyp":
        return set()
    length = min(int.from_bytes(data[:4], "big"), 1 << 12, len(data))
    return {data[8:12], *(data[at : at + 4] for at in range(16, length - 3, 4))}


def _boxes(data: bytes, start: int, end: int, *, strict: bool) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first and last+1 byte of the content of each box.

    Raises DatasetError for one that ends behind ``end``; outside of others (``strict``) that is a
    file which is cut off.
    """
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        elif length == 0:
            length = end - start
        if length < header:
            raise DatasetError(DAMAGED)
        if start + length > end:
            # Pictures lie before what is cut off, if `_check` finds all their bytes.
            if strict and kind in (b"mdat", b"free", b"skip"):
                return
            raise DatasetError(CUT_OFF if strict else DAMAGED)
        yield kind, start + header, start + length
        start += length


def _read_items(data: bytes, start: int, end: int) -> _Items:
    items = _Items()
    for kind, first, last in _boxes(data, start, end, strict=False):
        box = _Reader(data[first:last])
        if kind == b"pitm":
            version = box.number(4) >> 24
            items.primary = box.number(4 if version else 2)
        elif kind == b"iinf":
            version = box.number(4) >> 24
            begin = first + 4 + (4 if version else 2)
            for entry, at, stop in _boxes(data, begin, last, strict=False):
                if entry == b"infe":
                    _read_kind(_Reader(data[at:stop]), items)
        elif kind == b"iloc":
            _read_places(box, items)
        elif kind == b"iref":
            wide = 4 if box.number(4) >> 24 else 2
            for entry, at, stop in _boxes(data, first + 4, last, strict=False):
                inner = _Reader(data[at:stop])
                source, count = inner.number(wide), inner.number(2)
                items.counted(1 + count)
                items.references.append((entry, source, [inner.number(wide) for _ in range(count)]))
        elif kind == b"iprp":
            _read_properties(data, first, last, items)
        elif kind == b"idat":
            items.data = first, last
    return items


def _read_kind(box: _Reader, items: _Items) -> None:
    version = box.number(4) >> 24
    items.counted()
    if version >= 2:
        number = box.number(4 if version == 3 else 2)
        box.number(2)
        items.kinds[number] = box.take(4)


def _read_places(box: _Reader, items: _Items) -> None:
    version = box.number(4) >> 24
    sizes = box.number(2)
    offset, length, base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index = sizes & 15 if version in (1, 2) else 0
    for _ in range(box.number(4 if version == 2 else 2)):
        number = box.number(4 if version == 2 else 2)
        method = box.number(2) & 15 if version in (1, 2) else 0
        box.number(2)
        start = box.number(base)
        count = box.number(2)
        if count > 1 and not offset + length + index:
            raise DatasetError(DAMAGED)
        items.counted(1 + count)
        extents = []
        for _ in range(count):
            box.number(index)
            extents.append((method, start + box.number(offset), box.number(length)))
        items.extents[number] = extents


def _read_properties(data: bytes, start: int, end: int, items: _Items) -> None:
    known: list[tuple[bytes, bytes]] = []
    for kind, first, last in _boxes(data, start, end, strict=False):
        if kind == b"ipco":
            known = []
            for name, at, stop in _boxes(data, first, last, strict=False):
                items.counted()
                known.append((name, data[at:stop]))
        elif kind == b"ipma":
            box = _Reader(data[first:last])
            flags = box.number(4)
            for _ in range(box.number(4)):
                number = box.number(4 if flags >> 24 else 2)
                found = items.properties.setdefault(number, [])
                many = box.number(1)
                items.counted(1 + many)
                for _ in range(many):
                    index = box.number(2) & 0x7FFF if flags & 1 else box.number(1) & 0x7F
                    if index > len(known):
                        raise DatasetError(DAMAGED)
                    if index:
                        found.append(known[index - 1])


class _Reader:
    """Big-endian numbers, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        part = self._content[self._at : self._at + count]
        if len(part) < count:
            raise DatasetError(DAMAGED)
        self._at += count
        return part

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")
