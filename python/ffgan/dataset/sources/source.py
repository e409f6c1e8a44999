# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of what images come from: a folder, an archive, a table, a database, a list.

A source lists its files once, when it is made, and then gives their bytes. Names are only labels:
nothing is ever written where a name says.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, NamedTuple

from ffgan.dataset.sources.listing import Listing
from ffgan.errors import DatasetError
from ffgan.locations import Location, shown

MAX_FILE_BYTES: Final = 1 << 29
"""Larger files are refused before they are read: no image within images.MAX_PIXELS needs more."""

LONGEST_LABEL: Final = 1000
LONGEST_PART: Final = 200
"""Bytes of a name in an archive, and of each part of it: files may be named after it."""


class Member(NamedTuple):
    """A file of a source: its name, its bytes, and which call of `Listing.add` it was."""

    name: bytes
    size: int
    number: int


class Source(ABC):
    """Where image files lie. ``listing``: all of them, sorted.

    Safe to use from several threads. Methods raise UnavailableError, which names the file and the
    reason, for what cannot be read now, and DatasetError with the reason alone (the caller knows
    the name) for a member that is at fault itself.
    """

    location: Location
    listing: Listing
    root: Path | None = None
    """The folder of this machine to which names are relative; None where they are only labels."""

    @abstractmethod
    def read(self, member: Member, limit: int | None = None) -> bytes:
        """The bytes of a file, or the first ``limit``."""

    @abstractmethod
    def check_unchanged(self, member: Member, size: int) -> None:
        """Raise UnavailableError unless the file, of which ``size`` bytes came, is as at first."""

    @abstractmethod
    def stamp(self, member: Member) -> tuple[int, int]:
        """The size of a file now, and a number that differs once it has changed."""

    @abstractmethod
    def is_there(self) -> bool:
        """Whether anything can be read there now, as far as can be told at once."""

    def shown(self, name: bytes) -> str:
        """A file's name for messages."""
        return shown(self.location, name)


def check_size(size: int) -> None:
    """Raise DatasetError for a file that is too large to be an image."""
    if size > MAX_FILE_BYTES:
        raise DatasetError(f"{size} bytes are more than the limit of {MAX_FILE_BYTES}")


def label(name: bytes) -> bytes:
    """The name of an archive's member as a relative path that leads nowhere else.

    Nothing is left of ``/``, ``.`` and ``..`` by which it would leave its place, and no zero byte;
    what is too long for a file's name is cut, with a hash. It may be empty.
    """
    parts = name.replace(b"\0", b"_").split(b"/")
    clean = b"/".join(_cut(part, LONGEST_PART) for part in parts if part not in (b"", b".", b".."))
    return _cut(clean, LONGEST_LABEL)


def _cut(name: bytes, length: int) -> bytes:
    if len(name) <= length:
        return name
    digest = hashlib.sha256(name).hexdigest()[:16].encode()
    return b"%s-%s%s" % (name[: length - 33].rstrip(b"/"), digest, os.path.splitext(name)[1][:16])
