# SPDX-License-Identifier: GPL-3.0-or-later
"""The image files of a folder, an archive or another source: their names, and their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ffgan import images
from ffgan.dataset.sources import Member, open_source
from ffgan.errors import DatasetError, UnavailableError
from ffgan.locations import GivenPlace, Location, locate, shown
from ffgan.wording import counted

GENERATED: Final = "a picture of faces that ffgan generated"
"""Why a picture is left out that shows only by its content what it is."""


class ImageFiles:
    """The image files at ``place``, in the order of their names' bytes.

    A folder, or one of the other sources of docs/dataset.md. It is looked through once, here.
    Pictures of faces that ffgan generated are left out, unless ``include_generated``. ``names`` are
    relative to a folder, and labels elsewhere; ``hash`` is the SHA-256 of all names and sizes;
    ``unreadable`` are files and folders that cannot be read, with the reason, ``away`` those that
    may hold images all the same; ``left_out`` is a line about all that was not taken, or nothing.
    ``root`` is the folder of this machine to which names are relative, if there is one.

    With ``as_of``, such a hash, files are chosen by the rules of an earlier version where they had
    it by these.

    Raises DatasetError when there is nothing, something else or no image, UnavailableError when it
    cannot be read.
    """

    def __init__(
        self,
        place: GivenPlace,
        *,
        include_generated: bool = False,
        as_of: str | None = None,
    ) -> None:
        self.directory = locate(place)
        self._include_generated = include_generated
        self._source = open_source(self.directory)
        listing = self._source.listing
        names, self._sizes, self._numbers, self.hash = listing.choose(include_generated, as_of)
        if not names:
            error = listing.no_image(include_generated)
            if as_of is None:
                raise error
            raise UnavailableError(f"{error}; the run that is resumed had some: is a drive away?")
        self.root = self._source.root
        self.names: Sequence[bytes] = names
        self.unreadable: Sequence[tuple[bytes, str]] = listing.unreadable
        self.away: Sequence[tuple[bytes, str]] = listing.away
        self.left_out = listing.left_out(include_generated)
        listing.forget()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def found(self) -> str:
        """Lines of text: images found, files left out."""
        lines = [count_of_images(len(self), self.directory)]
        if self.left_out:
            lines.append(self.left_out)
        return "\n".join(lines)

    def size(self, index: int) -> int:
        """The bytes that file ``index`` had when its source was looked through."""
        return int(self._sizes[index])

    def shown(self, index: int) -> str:
        """The place and name of file ``index`` for messages."""
        return self._source.shown(self.names[index])

    def stamp(self, index: int) -> tuple[int, int]:
        """The size of file ``index`` now, and a number that differs once it has changed.

        Raises UnavailableError.
        """
        return self._source.stamp(self._member(index))

    def is_there(self) -> bool:
        """Whether anything can be read of the source now, as far as can be told at once."""
        return self._source.is_there()

    def read(self, index: int, limit: int | None = None) -> bytes:
        """The bytes of file ``index``, or the first ``limit``.

        Raises UnavailableError, which names the file and the reason, where it cannot be read or
        changes meanwhile; DatasetError with the reason alone (the caller knows the name) for a file
        that is too large, damaged in its archive, or whose name did not tell that ffgan made it.
        """
        content = self._source.read(self._member(index), limit)
        if limit is None and not self._include_generated and images.made_by_ffgan(content):
            raise DatasetError(GENERATED)
        return content

    def check_unchanged(self, index: int, size: int) -> None:
        """Raise UnavailableError unless the file, of which ``size`` bytes came, is as at first."""
        self._source.check_unchanged(self._member(index), size)

    def _member(self, index: int) -> Member:
        return Member(self.names[index], int(self._sizes[index]), int(self._numbers[index]))


ImageFolder = ImageFiles
"""The name of `ImageFiles` when folders were all that it read."""


def count_of_images(count: int, directory: Location) -> str:
    """A line of text."""
    return f"{counted(count, 'image')} in {shown(directory)}"


def overlap(one: GivenPlace, other: GivenPlace) -> bool:
    """Whether the two places are the same, or one of them lies in the other."""
    a, b = locate(one), locate(other)
    if not (isinstance(a, Path) and isinstance(b, Path)):
        return a == b
    a, b = a.resolve(), b.resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)
