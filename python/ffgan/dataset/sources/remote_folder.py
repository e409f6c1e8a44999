# SPDX-License-Identifier: GPL-3.0-or-later
"""The files below a URL, each read by a request of its own."""

from __future__ import annotations

from array import array
from typing import Final

from ffgan.dataset.names import Names
from ffgan.dataset.sources.listing import Listing, Look
from ffgan.dataset.sources.source import Member, Source, check_size, label
from ffgan.errors import DatasetError, UnavailableError
from ffgan.locations import RemoteFile, RemoteTree, shown

UNKNOWN_SIZE: Final = "of unknown size"
"""How files are counted of which their server does not say how long they are."""


class RemoteFolder(Source):
    """The files below a place, by their names there; hidden ones are left out."""

    def __init__(self, tree: RemoteTree) -> None:
        self._tree = tree
        self.location = tree.url
        self.listing = listing = Listing(
            shown(tree.url), "a folder", lambda name, number: self._look_into(self._names[number])
        )
        hidden: set[bytes] = set()
        taken: list[bytes] = []
        self._versions = array("Q")
        for name, size, version in tree.files():
            parts = name.split(b"/")
            first = next((k for k, part in enumerate(parts) if part.startswith(b".")), None)
            if first is not None:
                hidden.add(b"/".join(parts[: first + 1]))
                continue
            if size < 0:
                listing.ignored[UNKNOWN_SIZE] += 1
                continue
            if (bits := listing.classify(name, self._look_into(name))) is None:
                continue
            listing.add(label(name), size, bits)
            taken.append(name)
            self._versions.append(version)
        self._names = Names(taken)
        listing.hidden = len(hidden)
        listing.sort()

    def file(self, name: bytes) -> RemoteFile:
        """A file below the place."""
        return RemoteFile(self._tree.at(name))

    def _look_into(self, name: bytes) -> Look:
        def look(count: int) -> bytes:
            if count < 0:
                return self._tree.read(name, count, None)
            return self._tree.read(name, 0, count)

        return look

    def read(self, member: Member, limit: int | None = None) -> bytes:
        name = self._names[member.number]
        if limit is not None:
            return self._tree.read(name, 0, min(limit, member.size))
        check_size(member.size)
        # One byte more than it had: it may have been replaced.
        content = self._tree.read(name, 0, member.size + 1)
        if len(content) != member.size:
            raise self._changed(member, len(content))
        return content

    def check_unchanged(self, member: Member, size: int) -> None:
        version = self.file(self._names[member.number]).changed
        if size != member.size or version != self._versions[member.number]:
            raise self._changed(member, size)

    def _changed(self, member: Member, size: int) -> UnavailableError:
        return UnavailableError(
            f"cannot read {self.shown(member.name)}: it has changed since the start ({size} bytes, "
            f"{member.size} before)"
        )

    def stamp(self, member: Member) -> tuple[int, int]:
        return member.size, self._versions[member.number]

    def is_there(self) -> bool:
        try:
            return RemoteTree(self._tree.url).is_folder
        except (UnavailableError, DatasetError):
            return False
