# SPDX-License-Identifier: GPL-3.0-or-later
"""A text file of paths, one a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ffgan.dataset.sources.folder import Files
from ffgan.errors import DatasetError
from ffgan.locations import RandomAccess, printable, shown

LONGEST_LIST: Final = 1 << 28
"""Bytes of a list that is read."""


class PathList(Files):
    """The files that a text names, relative to its folder unless they are absolute.

    Images are called by their paths below that folder, or below the folder that all have in common
    where one lies outside. Raises DatasetError for a text of which no line is the name of a file.
    """

    def __init__(self, path: Path, file: RandomAccess) -> None:
        if file.size > LONGEST_LIST:
            raise DatasetError(f"{shown(path)} is no list of paths: it has {file.size:,} bytes")
        base = os.fsencode(path.parent)
        lines = [line.rstrip(b"\r") for line in file.read(0, file.size).split(b"\n")]
        paths = [
            os.path.normpath(os.path.join(base, line))
            for line in lines
            if line.strip() and b"\0" not in line
        ]
        if not any(os.path.isfile(path) for path in paths):
            first = f" The first is {printable(paths[0][:200])}." if paths else ""
            raise DatasetError(
                f"{shown(path)} is a text of which no line is the path of a file.{first} Give a "
                "list of paths, or a folder or archive of pictures"
            )
        root = base
        if not all(path.startswith(base + b"/") for path in paths):
            root = os.path.commonpath([os.path.dirname(path) for path in paths])
        super().__init__(path, Path(os.fsdecode(root)), "a list", "there is no such file")
        for each in paths:
            self._take(os.path.relpath(each, root), _Listed(each))
        self.listing.sort()


def lists_files(path: Path, beginning: bytes) -> bool:
    """Whether the first line of a text is the path of a file."""
    line = beginning.lstrip().partition(b"\n")[0].rstrip()
    return bool(line) and os.path.isfile(os.path.join(os.fsencode(path.parent), line))


class _Listed:
    """A path with what `os.DirEntry` says of one."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def stat(self) -> os.stat_result:
        return os.stat(self.path)

    def is_file(self) -> bool:
        return os.path.isfile(self.path)

    def is_symlink(self) -> bool:
        return os.path.islink(self.path)
