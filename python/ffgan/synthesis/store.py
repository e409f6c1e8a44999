# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a data set is written: the one place that makes its files.

Names are relative and have slashes. A file is whole or not there, and so is a folder of files. A
file of rows has its full size from its first row on; which rows it has is in the records of shards.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import IO, Final, NamedTuple, Protocol

from ffgan.locations import Location

PRIVATE: Final = ".ffgan"
"""The folder of what ffgan itself needs; readers of data sets skip names that begin with a dot."""


class Written(NamedTuple):
    """A finished file, its size in bytes, and the SHA-256 of its content as hex."""

    name: str
    size: int
    sha256: str


class Sink:
    """A file under way: what is written is hashed. Enough of a file for tarfile and pyarrow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._digest.update(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """What is written comes to the disk at the end."""

    def close(self) -> None:
        """Whoever made it closes it."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def written(self, name: str) -> Written:
        return Written(name, self._size, self._digest.hexdigest())


class FolderSink(Protocol):
    """A folder under way."""

    def add(self, name: str, content: bytes) -> None:
        """Write a file of it. May be called from several threads."""


class RowSink:
    """Rows of a file under way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def put(self, data: bytes, offset: int) -> None:
        """Write ``data`` at ``offset`` bytes from the start of the file."""
        view = memoryview(data).cast("B")
        while len(view):
            done = os.pwrite(self._descriptor, view, offset)
            view, offset = view[done:], offset + done


class Store(Protocol):
    """A place of a data set; may be pickled.

    What cannot be written raises `Error`, one line with the file and the way out.
    """

    @property
    def root(self) -> Location:
        """Its folder, or the URL under which its files are."""

    def check(self, format: str) -> None:
        """Raise `UsageError` for a format that cannot be written there."""

    def alone(self) -> AbstractContextManager[None]:
        """A context without another process in it that makes a set here, as far as can be known;
        makes the folder."""

    def is_foreign(self) -> bool:
        """Whether something is there that is no data set of ours."""

    def sweep(self) -> None:
        """Remove what a killed process left. Only one process may be writing."""

    def read(self, name: str) -> bytes | None:
        """The content of a file, None if there is none."""

    def size(self, name: str) -> int | None:
        """The size of a file in bytes, None if there is none."""

    def has(self, files: Sequence[Written]) -> bool:
        """Whether all of them are there, in their sizes."""

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where it is not there."""

    def write(self, name: str, content: bytes) -> Written:
        """Replace a file."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one, and return whether it was written."""

    def file(self, name: str) -> AbstractContextManager[Sink]:
        """A context in which a file is written; it is there after the end, and an old one gone."""

    def folder(self, name: str) -> AbstractContextManager[FolderSink]:
        """A context in which a folder is filled; it is there after the end, and an old one gone."""

    def rows(self, name: str, header: bytes, size: int) -> AbstractContextManager[RowSink]:
        """A context in which rows of a file of ``size`` bytes with a header are written.

        Several processes may write rows of one file.
        """

    def sum(self, name: str) -> Written:
        """Read a file to its end for its size and SHA-256."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
