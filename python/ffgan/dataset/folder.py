# SPDX-License-Identifier: GPL-3.0-or-later
"""The image files below a folder: finding them, naming them, reading their bytes."""

from __future__ import annotations

import hashlib
import os
import stat
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, overload

from ffgan import storage
from ffgan.errors import DatasetError, UnavailableError, escaped

SUFFIXES: Final = frozenset({b".jpg", b".jpeg", b".png", b".webp", b".bmp", b".tif", b".tiff"})

MAX_FILE_BYTES: Final = 1 << 29
"""Larger files are refused before they are read: no image within images.MAX_PIXELS needs more."""


class ImageFolder:
    """The image files below ``directory``, in the order of their names' bytes.

    The folder is walked once, here: symbolic links are followed, each folder is entered once,
    hidden files and folders are left out. No file is opened. ``names`` are relative to
    ``directory``, which is absolute; ``hash`` is the SHA-256 of all names and sizes;
    ``unreadable`` are files and folders that cannot be read, with the reason.

    Raises DatasetError when the folder is missing, is a file or holds no image, UnavailableError
    when it cannot be read.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(os.path.abspath(directory))
        tree = _walk(self.directory)
        self.names: Sequence[bytes] = tree.names
        self.hash = tree.hash
        self.unreadable: Sequence[tuple[bytes, str]] = tree.unreadable
        self._tree = tree

    def __len__(self) -> int:
        return len(self.names)

    @property
    def found(self) -> str:
        """Lines of text: images found, files left out."""
        tree = self._tree
        lines = [count_of_images(len(self), self.directory)]
        left_out = [
            f"{count:,} {what}"
            for count, what in (
                (tree.others, "other files ignored"),
                (tree.hidden, "hidden files and folders left out"),
                (tree.repeated, "folders reached again through links"),
                (len(tree.unreadable), "files and folders that cannot be read"),
            )
            if count
        ]
        if left_out:
            lines.append(", ".join(left_out))
        return "\n".join(lines)

    def read(self, index: int, limit: int | None = None) -> bytes:
        """The bytes of file ``index``, or the first ``limit``.

        Raises UnavailableError, which names the file and the reason, where the operating system
        cannot read it or it changes meanwhile; DatasetError with the reason alone (the caller knows
        the name) for a file that is too large.
        """
        path = os.path.join(os.fsencode(self.directory), self.names[index])
        try:
            with open(path, "rb") as file:
                before = os.fstat(file.fileno())
                if limit is None and before.st_size > MAX_FILE_BYTES:
                    raise DatasetError(
                        f"{before.st_size} bytes are more than the limit of {MAX_FILE_BYTES}"
                    )
                content = file.read(before.st_size if limit is None else limit)
                after = os.fstat(file.fileno())
        except OSError as error:
            if not self.directory.is_dir():
                path = os.fsencode(self.directory)
            raise cannot_read(path, error) from error
        whole = after.st_size if limit is None else min(limit, after.st_size)
        if len(content) != whole or before.st_mtime_ns != after.st_mtime_ns:
            raise UnavailableError(f"cannot read {printable(path)}: it is being changed")
        return content

    def check_unchanged(self, index: int, size: int) -> None:
        """Raise UnavailableError unless the file had ``size`` bytes when the folder was walked."""
        if size != (before := self._tree.sizes[index]):
            path = os.path.join(os.fsencode(self.directory), self.names[index])
            raise UnavailableError(
                f"cannot read {printable(path)}: it has {size} bytes, and had {before} at the start"
            )


def cannot_read(path: bytes, error: OSError) -> UnavailableError:
    """The error that names a file or folder and what the operating system says."""
    return UnavailableError(f"cannot read {printable(path)}: {storage.reason(error)}")


def count_of_images(count: int, directory: Path) -> str:
    """A line of text."""
    return f"{count:,} images in {printable(os.fsencode(directory))}"


def overlap(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether the two folders are the same, or one of them lies in the other."""
    a, b = Path(one).resolve(), Path(other).resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)


def printable(name: bytes) -> str:
    """A file name as one line of text: bytes that are not UTF-8 and control characters escaped."""
    return escaped(name.decode("utf-8", "backslashreplace"))


class Names(Sequence[bytes]):
    """Relative names, one after another in one bytes object: 250,000 in about 10 MB."""

    def __init__(self, names: Iterable[bytes]) -> None:
        ends = array("Q", [0])
        blob = bytearray()
        for name in names:
            blob += name
            ends.append(len(blob))
        self._blob = bytes(blob)
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._blob[self._ends[place] : self._ends[place + 1]]


class Paths(Sequence[Path]):
    """The paths of the files ``names`` below the folder ``root``."""

    def __init__(self, root: Path, names: Sequence[bytes]) -> None:
        self._root = os.fsencode(root)
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return Path(os.fsdecode(os.path.join(self._root, self._names[index])))


@dataclass
class _Tree:
    names: Names = field(default_factory=lambda: Names(()))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    hash: str = ""
    others: int = 0
    hidden: int = 0
    repeated: int = 0
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)


def _walk(directory: Path) -> _Tree:
    shown = printable(os.fsencode(directory))
    try:
        mode = os.stat(directory).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"no such folder: {shown}") from None
    except OSError as error:
        raise cannot_read(os.fsencode(directory), error) from error
    if stat.S_ISREG(mode):
        folder = printable(os.fsencode(directory.parent))
        raise DatasetError(f"{shown} is a file: give its folder, {folder}")
    if not stat.S_ISDIR(mode):
        raise DatasetError(f"{shown} is not a folder")

    tree = _Tree()
    root = os.fsencode(directory)
    names: list[bytes] = []
    sizes = array("Q")
    entered: set[tuple[int, int]] = set()
    waiting = [b""]
    while waiting:
        folder_name = waiting.pop()
        folder_path = os.path.join(root, folder_name)
        below = []
        try:
            status = os.stat(folder_path)
            if (status.st_dev, status.st_ino) in entered:
                tree.repeated += 1
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder_path) as entries:
                for entry in entries:
                    name = os.path.join(folder_name, entry.name)
                    if entry.name.startswith(b"."):
                        tree.hidden += 1
                        continue
                    try:
                        if entry.is_dir():
                            below.append(name)
                        elif os.path.splitext(entry.name)[1].lower() not in SUFFIXES:
                            tree.others += 1
                        elif entry.is_file():
                            sizes.append(entry.stat().st_size)
                            names.append(name)
                        else:
                            tree.unreadable.append((name, _why_no_file(entry)))
                    except OSError as error:
                        tree.unreadable.append((name, error.strerror or str(error)))
        except OSError as error:
            if not folder_name:
                raise cannot_read(root, error) from error
            tree.unreadable.append((folder_name + b"/", error.strerror or str(error)))
        waiting.extend(sorted(below, reverse=True))
    if not names:
        raise DatasetError(
            f"no image in {shown}: give a folder with jpg, jpeg, png, webp, bmp, tif or tiff files"
        )

    order = sorted(range(len(names)), key=names.__getitem__)
    digest = hashlib.sha256()
    for index in order:
        digest.update(b"%s\0%d\n" % (names[index].replace(os.sep.encode(), b"/"), sizes[index]))
    tree.hash = digest.hexdigest()
    tree.names = Names(names[index] for index in order)
    tree.sizes = array("Q", (sizes[index] for index in order))
    tree.unreadable.sort()
    return tree


def _why_no_file(entry: os.DirEntry[bytes]) -> str:
    return "the link leads nowhere" if entry.is_symlink() else "not a regular file"
