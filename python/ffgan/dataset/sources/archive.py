# SPDX-License-Identifier: GPL-3.0-or-later
"""What archives and tables in one file have in common: their members are there with the file."""

from __future__ import annotations

from abc import abstractmethod
from array import array

from ffgan.dataset.sources.listing import Listing, Look
from ffgan.dataset.sources.source import Member, Source, check_size
from ffgan.errors import DatasetError, UnavailableError
from ffgan.locations import Location, RandomAccess, shown


class Archive(Source):
    """A source that is one file; ``kind`` of which kind, ``what`` that is, for messages.

    ``location`` is what was given for it, where that is not the file.
    """

    kind: str
    what: str = "an archive"

    def __init__(self, file: RandomAccess, location: Location | None = None) -> None:
        self._file = file
        self.location = location or file.location
        self.listing = Listing(shown(self.location), self.what, self._look)

    def _look(self, name: bytes, number: int) -> Look:
        """A look into the member that was added as ``number``."""

        def look(count: int) -> bytes:
            member = Member(name, self._size(number), number)
            return self.read(member, count) if count >= 0 else self.read(member)[count:]

        return look

    @abstractmethod
    def _size(self, number: int) -> int:
        """The bytes of a member that was added as ``number``."""

    def check_unchanged(self, member: Member, size: int) -> None:
        self._file.check_unchanged()

    def stamp(self, member: Member) -> tuple[int, int]:
        self._file.check_unchanged()
        return member.size, self._file.changed

    def is_there(self) -> bool:
        try:
            self._file.check_unchanged()
        except UnavailableError:
            return False
        return True

    def _damaged(self, how: str) -> DatasetError:
        return DatasetError(f"{shown(self.location)} is no whole {self.kind}: {how}")


class PlainArchive(Archive):
    """An archive whose members lie in it as they are, each in one piece."""

    def __init__(self, file: RandomAccess, location: Location | None = None) -> None:
        super().__init__(file, location)
        self._offsets, self._sizes = array("Q"), array("Q")

    def _add(self, name: bytes, offset: int, size: int) -> None:
        """Take a member where it is an image."""

        def look(count: int) -> bytes:
            start = max(0, size + count) if count < 0 else 0
            return self._file.read(offset + start, min(abs(count), size))

        if self.listing.add_member(name, size, look):
            self._offsets.append(offset)
            self._sizes.append(size)

    def _size(self, number: int) -> int:
        return self._sizes[number]

    def read(self, member: Member, limit: int | None = None) -> bytes:
        size = self._sizes[member.number]
        if limit is None:
            check_size(size)
        return self._file.read(
            self._offsets[member.number], size if limit is None else min(limit, size)
        )
