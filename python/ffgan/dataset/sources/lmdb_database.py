# SPDX-License-Identifier: GPL-3.0-or-later
"""LMDB databases of encoded images, as older GAN repositories and LSUN have them.

The pages of LMDB 0.9 (mdb.c; the format has the version 1) are read here: liblmdb maps the file and
trusts it, so a file that is cut off or made to do harm ends the process.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ffgan.dataset.sources.archive import PlainArchive
from ffgan.dataset.sources.source import label
from ffgan.locations import LocalFile, Location, RandomAccess

DATA_FILE: Final = "data.mdb"
"""The file in the folder that is given."""

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_HEADER: Final = 16
"""Bytes before the content of a page: its number, flags, and the end of its list of nodes."""
_META = struct.Struct("<2I2Q")  # and two trees
_TREE = struct.Struct("<I2H5Q")
_LAST = struct.Struct("<2Q")
_NODE = struct.Struct("<4H")
_NO_PAGE: Final = (1 << 64) - 1
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_IN_OVERFLOW, _NO_VALUE = 1, 2 | 4  # flags of nodes; a database in the database, duplicates
_DEEPEST: Final = 32

# The keys of rosinality's stylegan2-pytorch: each image in several sizes.
_SIZED = re.compile(rb"(\d{1,5})-(\d{5,10})")

SMALLER: Final = "smaller copy"
"""How images are counted that are there in a larger size."""


class _Value(NamedTuple):
    key: bytes
    offset: int
    size: int


class _DamagedError(Exception):
    """Says what is wrong with the pages."""


def is_lmdb(beginning: bytes) -> bool:
    """Whether a file of 64-bit machines begins like a database."""
    return beginning[_HEADER : _HEADER + 4] == _MAGIC.to_bytes(4, "little")


class LmdbDatabase(PlainArchive):
    """The values of a database that are images, by their keys.

    Keys ``SIZE-NUMBER`` are images in several sizes, of which the largest counts. ``location``: the
    folder. Raises DatasetError for a file that is damaged, or of another version.
    """

    kind = "LMDB database"
    what = "a database"

    def __init__(self, file: RandomAccess, location: Location | None = None) -> None:
        super().__init__(file, location)
        self._largest = 0
        try:
            self._page_size, root, self._pages = self._meta()
            for value in self._values(root):
                if sized := _SIZED.fullmatch(value.key):
                    self._largest = max(self._largest, int(sized[1]))
            for value in self._values(root):
                self._take(value)
        except _DamagedError as error:
            raise self._damaged(str(error)) from error
        self.listing.sort()

    # ------------------------------------------------------------------ the tree

    def _meta(self) -> tuple[int, int, int]:
        """The size of a page, the root of the tree, and how many pages there are."""
        size = int.from_bytes(self._file.read(_HEADER + _META.size, 4), "little")
        if size not in [1 << power for power in range(8, 17)]:
            raise _DamagedError(f"its pages have {size} bytes")
        newest = -1, 0, 0
        for page in (0, 1):
            content = self._file.read(page * size + _HEADER, 136)
            if len(content) < 136:
                raise _DamagedError("it is cut off")
            magic, version, *_ = _META.unpack_from(content)
            if magic != _MAGIC or version != _VERSION:
                raise _DamagedError(f"it has the version {version}, not {_VERSION}")
            *_, root = _TREE.unpack_from(content, _META.size + _TREE.size)
            last, transaction = _LAST.unpack_from(content, _META.size + 2 * _TREE.size)
            newest = max(newest, (transaction, root, last))
        _, root, last = newest
        if (last + 1) * size > self._file.size:
            raise _DamagedError("it is cut off")
        return size, root, last + 1

    def _values(self, root: int) -> Iterator[_Value]:
        """All values in the order of their keys."""
        if root == _NO_PAGE:
            return
        waiting = [(root, 1)]
        seen = 0
        while waiting:
            number, depth = waiting.pop()
            seen += 1
            if number >= self._pages or seen > self._pages or depth > _DEEPEST:
                raise _DamagedError("its tree is damaged")
            page = self._file.read(number * self._page_size, self._page_size)
            flags = int.from_bytes(page[10:12], "little")
            if flags & (_BRANCH | _LEAF) == _BRANCH:
                below = [self._branch(page, at) for at in self._nodes(page)]
                waiting.extend((each, depth + 1) for each in reversed(below))
            elif flags & (_BRANCH | _LEAF) == _LEAF:
                for at in self._nodes(page):
                    if (value := self._leaf(page, at, number)) is not None:
                        yield value
            else:
                raise _DamagedError("its tree is damaged")

    def _nodes(self, page: bytes) -> tuple[int, ...]:
        """Where the nodes of a page begin."""
        end = int.from_bytes(page[12:14], "little")
        if len(page) < self._page_size or not _HEADER <= end <= self._page_size:
            raise _DamagedError("its tree is damaged")
        places = struct.unpack_from(f"<{(end - _HEADER) // 2}H", page, _HEADER)
        if any(place + _NODE.size > self._page_size for place in places):
            raise _DamagedError("its tree is damaged")
        return places

    @staticmethod
    def _branch(page: bytes, at: int) -> int:
        return int.from_bytes(page[at : at + 6], "little")

    def _leaf(self, page: bytes, at: int, number: int) -> _Value | None:
        low, high, flags, of_key = _NODE.unpack_from(page, at)
        size = low | high << 16
        key = page[at + _NODE.size : at + _NODE.size + of_key]
        start = at + _NODE.size + of_key
        if flags & _NO_VALUE:
            return None
        if flags & _IN_OVERFLOW:
            first = int.from_bytes(page[start : start + 8], "little")
            offset = first * self._page_size + _HEADER
            if start + 8 > len(page) or offset + size > self._pages * self._page_size:
                raise _DamagedError("its tree is damaged")
            return _Value(key, offset, size)
        if start + size > len(page):
            raise _DamagedError("its tree is damaged")
        return _Value(key, number * self._page_size + start, size)

    # ------------------------------------------------------------------ members

    def _take(self, value: _Value) -> None:
        if (sized := _SIZED.fullmatch(value.key)) and int(sized[1]) < self._largest:
            self.listing.ignored[SMALLER] += 1
            return
        self._add(_name(value.key), value.offset, value.size)


def _name(key: bytes) -> bytes:
    """A key as a name: one that is no text in hexadecimal digits."""
    text = key.decode("utf-8", "replace")
    return label(key) if text.isprintable() and "\ufffd" not in text else key.hex().encode()


def database_in(folder: Path) -> RandomAccess | None:
    """The file of the database that a folder is, None for any other folder."""
    path = folder / DATA_FILE
    if not path.is_file():
        return None
    file = LocalFile(path)
    return file if is_lmdb(file.read(0, _HEADER + 4)) else None
