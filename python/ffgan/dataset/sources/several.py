# SPDX-License-Identifier: GPL-3.0-or-later
"""Several archives or tables that are one data set, such as the shards of WebDataset."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from ffgan.dataset.sources.listing import Listing, Look
from ffgan.dataset.sources.source import Member, Source
from ffgan.locations import Location, shown


class Several(Source):
    """The images of all ``parts``, in the order of their names.

    How they are spread over the parts says nothing, unless a name comes in two of them: then all
    names begin with that of their part. ``ignored``: other files beside the parts, by kind.
    """

    def __init__(
        self, location: Location, parts: Sequence[Source], ignored: Counter[str] | None = None
    ) -> None:
        self.location = location
        self._parts = parts
        self._of_member: list[array[int]] = []
        self._firsts: list[int] = []
        self.listing = listing = Listing(shown(location), "archives", self._look_again)
        listing.ignored.update(ignored or {})
        above = {part.listing.above for part in parts if part.listing.names}
        common = above.pop() if len(above) == 1 else b""
        before = self._before(common or b"")
        for part, prefix in zip(parts, before, strict=True):
            theirs = part.listing
            self._firsts.append(len(listing.names))
            self._of_member.append(theirs.numbers)
            for name, size, bits in zip(theirs.names, theirs.sizes, theirs.bits, strict=True):
                listing.add(prefix + name, size, bits)
            listing.ignored.update(theirs.ignored)
            listing.hidden += theirs.hidden
            listing.doubled += theirs.doubled
            theirs.forget()
        listing.sort()
        listing.above = common

    def _before(self, common: bytes) -> list[bytes]:
        """What stands before the names of each part, without the folder that all have in common."""
        own = [(part.listing.above or b"")[len(common) :] for part in self._parts]
        seen: set[bytes] = set()
        count = 0
        for part, prefix in zip(self._parts, own, strict=True):
            seen.update(prefix + name for name in part.listing.names)
            count += len(part.listing.names)
        if len(seen) == count:
            return own
        stems = [os.fsencode(part.location.name).partition(b".")[0] for part in self._parts]
        if len(set(stems)) < len(stems):
            stems = [b"%06d" % number for number in range(len(stems))]
        return [stem + b"/" + prefix for stem, prefix in zip(stems, own, strict=True)]

    def _place(self, member: Member) -> tuple[Source, Member]:
        part = bisect_right(self._firsts, member.number) - 1
        number = self._of_member[part][member.number - self._firsts[part]]
        return self._parts[part], member._replace(number=number)

    def _look_again(self, name: bytes, number: int) -> Look:
        part, member = self._place(Member(name, 0, number))
        assert part.listing.look_again is not None
        return part.listing.look_again(name, member.number)

    def read(self, member: Member, limit: int | None = None) -> bytes:
        part, theirs = self._place(member)
        return part.read(theirs, limit)

    def check_unchanged(self, member: Member, size: int) -> None:
        part, theirs = self._place(member)
        part.check_unchanged(theirs, size)

    def stamp(self, member: Member) -> tuple[int, int]:
        part, theirs = self._place(member)
        return part.stamp(theirs)

    def is_there(self) -> bool:
        return any(part.is_there() for part in self._parts)
