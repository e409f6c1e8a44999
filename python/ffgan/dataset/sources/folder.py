# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder and all below it: walked once, each file read by its path."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from ffgan import storage
from ffgan.dataset.sources.listing import UNREADABLE, Listing, Look
from ffgan.dataset.sources.source import Member, Source, check_size
from ffgan.errors import UnavailableError
from ffgan.locations import LocalFile, cannot_read, printable, shown

# No file of that name can be read, now or later.
_NEVER_READABLE: Final = frozenset({errno.ELOOP, errno.ENAMETOOLONG})


class Entry(Protocol):
    """A file as `os.DirEntry` has it."""

    @property
    def path(self) -> bytes: ...
    def stat(self) -> os.stat_result: ...
    def is_file(self) -> bool: ...
    def is_symlink(self) -> bool: ...


class Files(Source):
    """Files of this machine, each by its path: what folders and lists of paths have in common.

    ``root`` is the folder to which names are relative; ``gone``: what is said of a file that is not
    there.
    """

    root: Path

    def __init__(self, location: Path, root: Path, what: str, gone: str) -> None:
        self.location = location
        self._gone = gone
        self.root = root
        self.listing = Listing(shown(location), what, lambda name, _: _look_into(self._path(name)))

    def _path(self, name: bytes) -> bytes:
        return os.path.join(os.fsencode(self.root), name)

    # ------------------------------------------------------------------ listing

    def _take(self, name: bytes, entry: Entry) -> None:
        """Append a file to the listing, if it may be a training image and can be read."""
        listing = self.listing

        def look(count: int) -> bytes | None:
            return _look_into(entry.path)(count) if entry.is_file() else None

        try:
            if (found := listing.classify(name, look)) is None:
                return
            status = entry.stat()
            if not stat.S_ISREG(status.st_mode):
                listing.unreadable.append((name, "not a regular file"))
                return
            if status.st_mode & 0o444 != 0o444 and not os.access(entry.path, os.R_OK):
                self._cannot(name, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
                found |= UNREADABLE
            listing.add(name, status.st_size, found)
        except FileNotFoundError:
            gone = "the link leads nowhere" if entry.is_symlink() else self._gone
            listing.unreadable.append((name, gone))
        except OSError as error:
            self._cannot(name, error)

    def _cannot(self, name: bytes, error: OSError) -> None:
        self.listing.unreadable.append((name, storage.reason(error)))
        if error.errno not in _NEVER_READABLE:
            self.listing.away.append(self.listing.unreadable[-1])

    # ------------------------------------------------------------------ reading

    def read(self, member: Member, limit: int | None = None) -> bytes:
        path = self._path(member.name)
        try:
            with open(path, "rb") as file:
                before = os.fstat(file.fileno())
                if limit is None:
                    check_size(before.st_size)
                content = file.read(before.st_size if limit is None else limit)
                after = os.fstat(file.fileno())
        except OSError as error:
            if not self.root.is_dir():
                path = os.fsencode(self.root)
            raise cannot_read(path, error) from error
        whole = after.st_size if limit is None else min(limit, after.st_size)
        if len(content) != whole or before.st_mtime_ns != after.st_mtime_ns:
            raise UnavailableError(f"cannot read {printable(path)}: it is being changed")
        return content

    def check_unchanged(self, member: Member, size: int) -> None:
        if size != member.size:
            raise UnavailableError(
                f"cannot read {printable(self._path(member.name))}: it has {size} bytes, and had "
                f"{member.size} at the start"
            )

    def stamp(self, member: Member) -> tuple[int, int]:
        path = self._path(member.name)
        try:
            status = os.stat(path)
        except OSError as error:
            raise cannot_read(path, error) from error
        return status.st_size, status.st_mtime_ns

    def is_there(self) -> bool:
        try:
            return bool(os.listdir(self.root))
        except OSError:
            return False

    def shown(self, name: bytes) -> str:
        return printable(self._path(name))


class Folder(Files):
    """The files below the folder ``path``.

    Symbolic links are followed, each folder is entered once, hidden files and folders are left out.
    Only files whose names do not tell what they are get opened. Raises UnavailableError where the
    folder cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, path, "a folder", "it has gone meanwhile")
        for name, entry in self._files():
            self._take(name, entry)
        self.listing.sort()

    def file(self, name: bytes) -> LocalFile:
        """A file below the folder."""
        return LocalFile(Path(os.fsdecode(self._path(name))))

    def _files(self) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
        listing = self.listing
        entered: set[tuple[int, int | bytes]] = set()
        waiting = [b""]
        while waiting:
            folder_name = waiting.pop()
            folder_path = self._path(folder_name)
            below = []
            try:
                status = os.stat(folder_path)
                # Some network drives number nothing.
                place = status.st_ino or os.path.realpath(folder_path)
                if (status.st_dev, place) in entered:
                    listing.repeated += 1
                    continue
                entered.add((status.st_dev, place))
                with os.scandir(folder_path) as entries:
                    for entry in entries:
                        name = os.path.join(folder_name, entry.name)
                        if entry.name.startswith(b"."):
                            listing.hidden += 1
                            continue
                        try:
                            is_folder = entry.is_dir()
                        except OSError as error:
                            self._cannot(name, error)
                            continue
                        if is_folder:
                            below.append(name)
                        else:
                            yield name, entry
            except OSError as error:
                if not folder_name:
                    raise cannot_read(os.fsencode(self.root), error) from error
                self._cannot(folder_name + b"/", error)
            waiting.extend(sorted(below, reverse=True))


def _look_into(path: bytes) -> Look:
    def look(count: int) -> bytes:
        with open(path, "rb", buffering=0) as file:
            if count < 0:
                file.seek(count, os.SEEK_END)
            return file.read(abs(count))

    return look
