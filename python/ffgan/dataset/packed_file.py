# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of decoded images that `pack` and ``--cache`` make; docs/dataset.md has its layout."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from ffgan import storage
from ffgan.dataset.names import Names
from ffgan.errors import DatasetError, UnavailableError
from ffgan.images import FITS, Colour, Fit
from ffgan.locations import Location, cannot_read
from ffgan.typing import RGB, UInt8

MAGIC: Final = b"ffgan images\n\x1a\r\0"
VERSION: Final = 2
HEADER: Final = struct.Struct("<16sIIQ64s8sQ8s")
HEADER_BYTES: Final = 4096
"""One page, so that other programs can map the images behind it."""

UNSEEN, GOOD, SMALL, BROKEN = range(4)
"""What is known of an image, a byte each in the file: SMALL is good and was enlarged."""


@dataclass(frozen=True)
class Contents:
    """What a packed file holds: images of ``size`` x ``size`` pixels, made square by ``fit``.

    ``colour``: what was done with their colours, which files of earlier versions do not say, as
    they ignored them.

    ``names`` and ``hash`` are those of `ImageFolder`.
    """

    names: Sequence[bytes]
    hash: str
    size: int
    fit: Fit
    colour: Colour

    @property
    def header(self) -> bytes:
        """The file's first bytes."""
        header = HEADER.pack(
            MAGIC,
            VERSION,
            self.size,
            len(self.names),
            self.hash.encode(),
            self.fit.encode(),
            self.name_bytes,
            b"" if self.colour == "ignore" else self.colour.encode(),
        )
        return header.ljust(HEADER_BYTES, b"\0")

    @cached_property
    def name_bytes(self) -> int:
        """The length of the names at the file's end, each with a zero byte."""
        return sum(len(name) + 1 for name in self.names)

    @property
    def file_bytes(self) -> int:
        """The file's length."""
        pixels = self.size * self.size * 3
        return HEADER_BYTES + len(self.names) * (pixels + 1) + self.name_bytes


def is_packed(path: Path) -> bool:
    """Whether the file begins like a packed one; one that cannot be read does not."""
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(MAGIC)) == MAGIC
    return False


def read_contents(path: Path, size: int, fit: Fit, colour: Colour | None = None) -> Contents:
    """What a packed file says about itself.

    Raises DatasetError for one that is damaged, of another version, or not of this size and
    fit, or ``colour`` unless that is None.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            length = os.fstat(file.fileno()).st_size
            _, version, its_size, count, digest, fit_bytes, name_bytes, colours = (
                HEADER.unpack_from(header.ljust(HEADER.size, b"\0"))
            )
            if version != VERSION:
                raise DatasetError(f"{path} is of another version: pack the folder again")
            expected = HEADER_BYTES + count * (its_size * its_size * 3 + 1) + name_bytes
            if length != expected or not count:
                raise DatasetError(
                    f"{path} has {length} bytes instead of {expected}: pack the folder again"
                )
            its_fit = fit_bytes.rstrip(b"\0").decode("ascii", "replace")
            its_colour = _colour(colours)
            if colour not in (None, its_colour):
                raise DatasetError(
                    f"{path} was packed with --colour {its_colour}, not {colour}: give --colour "
                    f"{its_colour}, or pack the folder again with --colour {colour}"
                )
            if (its_size, its_fit) != (size, fit):
                give = f"give --fit {its_fit}, or " if its_size == size and its_fit in FITS else ""
                raise DatasetError(
                    f"{path} holds images of {its_size} pixels made with fit {its_fit}, not of "
                    f"{size} with {fit}: {give}pack the folder again"
                )
            file.seek(-name_bytes, os.SEEK_END)
            names = file.read(name_bytes).split(b"\0")[:-1]
    except OSError as error:
        raise cannot_read(os.fsencode(path), error) from error
    if len(names) != count:
        raise DatasetError(f"{path} is damaged: pack the folder again")
    return Contents(Names(names), digest.decode("ascii", "replace"), size, fit, its_colour)


def packed_colour(path: Location) -> Colour | None:
    """What was done with the colours in a packed file; None of anything else."""
    if not (isinstance(path, Path) and is_packed(path)):
        return None
    with path.open("rb") as file:
        *_, colours = HEADER.unpack_from(file.read(HEADER.size).ljust(HEADER.size, b"\0"))
    return _colour(colours)


def _colour(stored: bytes) -> Colour:
    return "convert" if stored.startswith(b"convert") else "ignore"


def write(path: Path, contents: Contents, images: Iterable[RGB], state: UInt8) -> None:
    """Write the file, whole or not at all, from ``images`` in blocks (k, size, size, 3).

    ``state`` (n,) is written after them, as they leave it. Raises BlockingIOError when another
    process is writing the file, OSError when it cannot be written.
    """
    with storage.atomic_file(path, single_writer=True) as file:
        file.write(contents.header)
        for block in images:
            file.write(block.tobytes())
        file.write(state.tobytes())
        file.write(b"".join(name + b"\0" for name in contents.names))


class _Descriptor:
    """A file descriptor, closed with its last user."""

    def __init__(self, number: int) -> None:
        self.number = number
        weakref.finalize(self, os.close, number)


class PackedImages:
    """A packed file, open for reading; ``state`` (n,) says what is known of each image.

    Raises DatasetError when the file is not one of these contents, UnavailableError when it cannot
    be read.
    """

    def __init__(self, path: Path, contents: Contents) -> None:
        self.path = path
        self._contents = contents
        count = len(contents.names)
        try:
            with path.open("rb") as file:
                header = file.read(HEADER_BYTES)
                length = os.fstat(file.fileno()).st_size
                if not header.startswith(MAGIC):
                    raise DatasetError(
                        f"{path} is not an ffgan image cache: name another file for the cache"
                    )
                if header != contents.header:
                    raise DatasetError(
                        f"the cache {path} was made of other images or with another size, fit or "
                        "colour, or by another version: delete it to have it made anew, or name "
                        "another file"
                    )
                if length != contents.file_bytes:
                    raise DatasetError(
                        f"the cache {path} has {length} bytes instead of {contents.file_bytes}: "
                        "delete it to have it made anew"
                    )
                file.seek(-count - contents.name_bytes, os.SEEK_END)
                self.state: UInt8 = np.frombuffer(file.read(count), np.uint8)
        except IsADirectoryError as error:
            raise DatasetError(
                f"cannot read the cache {path}: {error.strerror}; name another file"
            ) from error
        except OSError as error:
            raise cannot_read(os.fsencode(path), error) from error
        self._lock = threading.Lock()
        self._file = self._opened()

    def _opened(self) -> _Descriptor:
        try:
            return _Descriptor(os.open(self.path, os.O_RDONLY))
        except OSError as error:
            raise cannot_read(os.fsencode(self.path), error) from error

    def image(self, index: int) -> RGB:
        """Image ``index``, (size, size, 3) uint8 RGB; raises UnavailableError.

        Once it failed, the next call opens the file anew: a drive that came back does not know the
        old one.
        """
        # Not mapped: a mapping fills the process with pages, and dies of SIGBUS when the file is
        # cut off under it or the disk fails.
        size = self._contents.size
        image = np.empty((size, size, 3), np.uint8)
        with self._lock:
            file = self._file
        try:
            done = os.preadv(file.number, [image.data], HEADER_BYTES + index * image.nbytes)
        except OSError as error:
            self._reopen(file)
            raise cannot_read(os.fsencode(self.path), error) from error
        if done != image.nbytes:
            self._reopen(file)
            raise UnavailableError(
                f"cannot read the cache {self.path}: it was cut off while in use"
            )
        return image

    def _reopen(self, failed: _Descriptor) -> None:
        with self._lock, contextlib.suppress(UnavailableError):
            if self._file is not failed:
                return  # another thread did
            new = self._opened()
            header = b""
            with contextlib.suppress(OSError):
                header = os.pread(new.number, HEADER_BYTES, 0)
            if header == self._contents.header:
                self._file = new
