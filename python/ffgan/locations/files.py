# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a file at any place, from several threads, without mapping it into memory.

A mapping would count as the process's memory, and an error of the disk would end the process.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import threading
import weakref
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from ffgan import storage
from ffgan.errors import UnavailableError
from ffgan.locations.location import Location, printable, shown

MOST_AT_ONCE: Final = 1 << 30
"""Bytes that one call of the operating system is asked for; it gives no more than 2 GB."""


class RandomAccess(Protocol):
    """A file, here or elsewhere, whose bytes can be had in any order and by several threads."""

    @property
    def location(self) -> Location:
        """Where it lies."""

    @property
    def size(self) -> int:
        """Its bytes when it was opened."""

    @property
    def changed(self) -> int:
        """When it was changed, in nanoseconds, as far as known."""

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on, fewer where the file ends.

        Raises UnavailableError; then the next call opens the file anew.
        """

    def check_unchanged(self) -> None:
        """Raise UnavailableError where the file is not as it was when it was opened."""


MOST_OPEN: Final = 128
"""Files that are kept open at a time: a data set may have thousands, and a process 1024."""


class LocalFile:
    """A `RandomAccess` of this machine's file ``path``; raises UnavailableError."""

    _open: ClassVar[OrderedDict[int, weakref.ref[LocalFile]]] = OrderedDict()
    _open_lock: ClassVar = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.location: Location = path
        self._path = path
        self._lock = threading.Lock()
        self._descriptor: _Descriptor | None
        self._descriptor, status = self._opened()
        self.size = status.st_size
        self.changed = status.st_mtime_ns

    def _opened(self) -> tuple[_Descriptor, os.stat_result]:
        try:
            descriptor = _Descriptor(os.open(self._path, os.O_RDONLY))
            return descriptor, os.fstat(descriptor.number)
        except OSError as error:
            raise cannot_read(os.fsencode(self._path), error) from error

    def read(self, offset: int, count: int) -> bytes:
        """See `RandomAccess`."""
        descriptor = self._in_use()
        parts = []
        count = max(0, min(count, self.size - offset))
        try:
            while count:
                part = os.pread(descriptor.number, min(count, MOST_AT_ONCE), offset)
                if not part:
                    self._reopen(descriptor)
                    raise UnavailableError(
                        f"cannot read {shown(self.location)}: it was cut off while in use"
                    )
                parts.append(part)
                offset += len(part)
                count -= len(part)
        except OSError as error:
            self._reopen(descriptor)
            raise cannot_read(os.fsencode(self._path), error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _in_use(self) -> _Descriptor:
        """The descriptor, opened anew where others took its place."""
        with self._lock:
            descriptor = self._descriptor
            if descriptor is None:
                descriptor, status = self._opened()
                if status.st_size != self.size:
                    raise self._has_changed()
                self._descriptor = descriptor
        oldest = []
        with self._open_lock:
            self._open[id(self)] = weakref.ref(self)
            self._open.move_to_end(id(self))
            while len(self._open) > MOST_OPEN:
                oldest.append(self._open.popitem(last=False)[1]())
        for file in oldest:
            if file is not None:
                with file._lock:
                    file._descriptor = None  # closed once nobody reads by it
        return descriptor

    def _has_changed(self) -> UnavailableError:
        return UnavailableError(
            f"cannot read {shown(self.location)}: it has changed since it was opened"
        )

    def check_unchanged(self) -> None:
        """See `RandomAccess`."""
        _, status = self._opened()
        if (status.st_size, status.st_mtime_ns) != (self.size, self.changed):
            raise self._has_changed()

    def _reopen(self, failed: _Descriptor) -> None:
        """A drive that came back does not know the old descriptor."""
        with self._lock, contextlib.suppress(UnavailableError):
            if self._descriptor is failed:
                descriptor, status = self._opened()
                if status.st_size == self.size:
                    self._descriptor = descriptor


class Scratch:
    """A file without a name in ``folder``, which goes with the object; raises OSError."""

    def __init__(self, folder: str) -> None:
        number, path = tempfile.mkstemp(prefix="ffgan-", dir=folder)
        self._descriptor = _Descriptor(number)
        os.unlink(path)

    def write(self, offset: int, content: bytes) -> None:
        """Put ``content`` at ``offset``."""
        done = 0
        while done < len(content):
            done += os.pwrite(self._descriptor.number, content[done:], offset + done)

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on, fewer where the file ends."""
        return os.pread(self._descriptor.number, count, offset)

    def cut(self, size: int) -> None:
        """Forget what lies beyond ``size`` bytes."""
        os.ftruncate(self._descriptor.number, size)


class _Raw(io.RawIOBase):
    """A `RandomAccess` as a file with a position."""

    def __init__(self, file: RandomAccess) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}
        self._position = max(0, start[whence] + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(self._position, len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def as_file(file: RandomAccess) -> io.BufferedReader:
    """The file as libraries want it, for one thread; what cannot be read raises as it does."""
    return io.BufferedReader(_Raw(file), 1 << 18)


class _Descriptor:
    """A file descriptor, closed with its last user."""

    def __init__(self, number: int) -> None:
        self.number = number
        weakref.finalize(self, os.close, number)


def cannot_read(path: bytes, error: OSError) -> UnavailableError:
    """The error that names a file or folder and what the operating system says."""
    return UnavailableError(f"cannot read {printable(path)}: {storage.reason(error)}")
