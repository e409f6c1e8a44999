# SPDX-License-Identifier: GPL-3.0-or-later
"""The image files below a folder: finding them, naming them, reading their bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ffgan import images
from ffgan.dataset.names import printable
from ffgan.dataset.walk import Walk, cannot_read, check_folder
from ffgan.errors import DatasetError, UnavailableError
from ffgan.wording import counted

MAX_FILE_BYTES: Final = 1 << 29
"""Larger files are refused before they are read: no image within images.MAX_PIXELS needs more."""

GENERATED: Final = "a picture of faces that ffgan generated"
"""Why a picture is left out that shows only by its content what it is."""


class ImageFolder:
    """The image files below ``directory``, in the order of their names' bytes.

    The folder is walked once, here: symbolic links are followed, each folder is entered once,
    hidden files and folders are left out, as are pictures of faces that ffgan generated, unless
    ``include_generated``. Only files whose names do not tell what they are get opened. ``names``
    are relative to ``directory``, which is absolute; ``hash`` is the SHA-256 of all names and
    sizes; ``unreadable`` are files and folders that cannot be read, with the reason, ``away`` those
    that may hold images all the same; ``left_out`` is a line about all that was not taken, or
    nothing.

    With ``as_of``, such a hash, files are chosen by the rules of an earlier version where they had
    it by these.

    Raises DatasetError when the folder is missing, is a file or holds no image, UnavailableError
    when it cannot be read.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        include_generated: bool = False,
        as_of: str | None = None,
    ) -> None:
        self.directory = Path(os.path.abspath(directory))
        self._include_generated = include_generated
        check_folder(self.directory)
        walk = Walk(self.directory)
        names, self._sizes, self.hash = walk.choose(include_generated, as_of)
        if not names:
            error = walk.no_image(include_generated)
            if as_of is None:
                raise error
            raise UnavailableError(f"{error}; the run that is resumed had some: is a drive away?")
        self.names: Sequence[bytes] = names
        self.unreadable: Sequence[tuple[bytes, str]] = walk.unreadable
        self.away: Sequence[tuple[bytes, str]] = walk.away
        self.left_out = walk.left_out(include_generated)

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
        """The bytes that file ``index`` had when the folder was walked."""
        return int(self._sizes[index])

    def read(self, index: int, limit: int | None = None) -> bytes:
        """The bytes of file ``index``, or the first ``limit``.

        Raises UnavailableError, which names the file and the reason, where the operating system
        cannot read it or it changes meanwhile; DatasetError with the reason alone (the caller knows
        the name) for a file that is too large, or whose name did not tell that ffgan made it.
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
        if limit is None and not self._include_generated and images.made_by_ffgan(content):
            raise DatasetError(GENERATED)
        return content

    def check_unchanged(self, index: int, size: int) -> None:
        """Raise UnavailableError unless the file had ``size`` bytes when the folder was walked."""
        if size != (before := self._sizes[index]):
            path = os.path.join(os.fsencode(self.directory), self.names[index])
            raise UnavailableError(
                f"cannot read {printable(path)}: it has {size} bytes, and had {before} at the start"
            )


def count_of_images(count: int, directory: Path) -> str:
    """A line of text."""
    return f"{counted(count, 'image')} in {printable(os.fsencode(directory))}"


def overlap(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether the two folders are the same, or one of them lies in the other."""
    a, b = Path(one).resolve(), Path(other).resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)
