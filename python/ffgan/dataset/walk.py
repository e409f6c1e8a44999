# SPDX-License-Identifier: GPL-3.0-or-later
"""One walk over a folder: which files below it are training images, by which rules."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from ffgan import images, storage
from ffgan.dataset import ignored
from ffgan.dataset.names import Names, printable
from ffgan.errors import DatasetError, UnavailableError
from ffgan.wording import counted

EARLIER_SUFFIXES: Final = frozenset(
    {b".jpg", b".jpeg", b".png", b".webp", b".bmp", b".tif", b".tiff"}
)
"""The only files that were training images up to version 0.2."""

EARLIER, NEEDS_EXTRA, OWN, UNREADABLE = 1, 2, 4, 8
"""What is known of a file, as bits: it has one of EARLIER_SUFFIXES, an extra reads it, ffgan made
it of generated faces, it may not be read."""

# No file of that name can be read, now or later.
_NEVER_READABLE: Final = frozenset({errno.ELOOP, errno.ENAMETOOLONG})

# The names that ffgan gives to pictures of generated faces, also where a copy has been numbered.
_OWN_NAME = re.compile(rb"(faces?|frame|step|ffgan)-[^/]*\.(png|jpe?g|webp)", re.IGNORECASE)


class Walk:
    """The files below ``directory``, an absolute path, that may be training images, by name.

    ``names``, ``sizes`` and ``bits`` belong together. ``ignored`` counts other files by kind;
    ``unreadable`` are files and folders that cannot be read, with the reason; ``away`` those of
    them that may be images all the same, no links that lead nowhere.

    Raises DatasetError where there is no such folder, UnavailableError where it cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self.root = os.fsencode(directory)
        self.ignored: Counter[str] = Counter()
        self.hidden = self.repeated = 0
        self.unreadable: list[tuple[bytes, str]] = []
        self.away: list[tuple[bytes, str]] = []
        names: list[bytes] = []
        sizes, bits = array("Q"), array("B")
        # Suffixes without a look inside; where an extra is missing, it may still be another kind.
        self._readable = dict.fromkeys(EARLIER_SUFFIXES, EARLIER)
        for text, kind in images.suffixes().items():
            suffix = text.encode()
            if suffix not in self._readable and not images.missing_extra(kind):
                self._readable[suffix] = NEEDS_EXTRA if kind in images.EXTRAS else 0
        self._kinds = set(images.suffixes().values())

        for name, entry in self._files():
            try:
                if (found := self._bits(entry)) is None:
                    continue
                status = entry.stat()
                if not stat.S_ISREG(status.st_mode):
                    self.unreadable.append((name, "not a regular file"))
                    continue
                if status.st_mode & 0o444 != 0o444 and not os.access(entry.path, os.R_OK):
                    self._cannot(name, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
                    found |= UNREADABLE
                names.append(name)
                sizes.append(status.st_size)
                bits.append(found)
            except FileNotFoundError:
                gone = "the link leads nowhere" if entry.is_symlink() else "it has gone meanwhile"
                self.unreadable.append((name, gone))
            except OSError as error:
                self._cannot(name, error)
        order = sorted(range(len(names)), key=names.__getitem__)
        self.names = [names[index] for index in order]
        self.sizes = array("Q", (sizes[index] for index in order))
        self.bits = array("B", (bits[index] for index in order))
        self.unreadable.sort()

    def _cannot(self, name: bytes, error: OSError) -> None:
        self.unreadable.append((name, storage.reason(error)))
        if error.errno not in _NEVER_READABLE:
            self.away.append(self.unreadable[-1])

    def _files(self) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
        entered: set[tuple[int, int | bytes]] = set()
        waiting = [b""]
        while waiting:
            folder_name = waiting.pop()
            folder_path = os.path.join(self.root, folder_name)
            below = []
            try:
                status = os.stat(folder_path)
                # Some network drives number nothing.
                place = status.st_ino or os.path.realpath(folder_path)
                if (status.st_dev, place) in entered:
                    self.repeated += 1
                    continue
                entered.add((status.st_dev, place))
                with os.scandir(folder_path) as entries:
                    for entry in entries:
                        name = os.path.join(folder_name, entry.name)
                        if entry.name.startswith(b"."):
                            self.hidden += 1
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
                    raise cannot_read(self.root, error) from error
                self._cannot(folder_name + b"/", error)
            waiting.extend(sorted(below, reverse=True))

    def _bits(self, entry: os.DirEntry[bytes]) -> int | None:
        """What is known of a file, None where it is no training image; raises OSError."""
        suffix = os.path.splitext(entry.name)[1].lower()
        bits = self._readable.get(suffix)
        if bits is None:
            if (kind := self._other_kind(entry, suffix)) is not None:
                self.ignored[kind] += 1
                return None
            bits = 0
        if _OWN_NAME.fullmatch(entry.name) and _says_ffgan(entry.path):
            bits |= OWN
        return bits

    def _other_kind(self, entry: os.DirEntry[bytes], suffix: bytes) -> str | None:
        """What a file is whose name does not say that it is an image; None for an image."""
        if entry.name.endswith(b"~"):
            return ignored.UNFINISHED
        if suffix in ignored.BY_SUFFIX:
            return ignored.BY_SUFFIX[suffix]
        if not entry.is_file():
            return "link or special file"
        with open(entry.path, "rb", buffering=0) as file:
            kind = ignored.kind_of_content(file.read(images.SNIFFED), suffix)
        return None if kind in self._kinds and not images.missing_extra(kind) else kind

    # ------------------------------------------------------------------ rules

    def choose(self, include_generated: bool, as_of: str | None) -> tuple[Names, array[int], str]:
        """The names and sizes of the training images, and their hash.

        ``as_of`` is the hash that they had for the run which is resumed: where today's rules give
        another one, those of earlier versions count, if they give it, or what was readable then.
        Raises UnavailableError where it cannot be told because something cannot be read.
        """
        chosen = self._chosen(lambda bits, name: include_generated or not bits & OWN)
        found = self._select(chosen)
        if as_of is None or found[2] == as_of:
            return found
        for rule in self._rules(include_generated):
            chosen = self._chosen(rule, unreadable=True)
            other = self._select(chosen)
            if other[2] == as_of:
                for index in chosen:
                    if self.bits[index] & UNREADABLE:
                        raise UnavailableError(
                            f"cannot read {self._shown(index)}: Permission denied; the run that is "
                            "resumed has it: make it readable"
                        )
                return other
        if self.away:
            raise UnavailableError(
                f"{printable(self.root)} does not hold the images of the run that is resumed, but "
                f"has {self._cannot_be_read()}: make them readable, or choose another --name"
            )
        return found

    def _rules(self, include_generated: bool) -> Iterator[Callable[[int, bytes], bool]]:
        yield lambda bits, name: include_generated or not bits & OWN
        yield lambda bits, name: bool(bits & EARLIER) and not bits & OWN
        yield lambda bits, name: bool(bits & EARLIER)
        yield lambda bits, name: not bits & NEEDS_EXTRA and (include_generated or not bits & OWN)
        # Pictures that were given other names and came later: looked for in all files.
        own = {
            name
            for name in self.names
            if os.path.splitext(name)[1].lower() in (b".png", b".jpg", b".jpeg", b".webp")
            and self._is_own(name)
        }
        if own:
            yield lambda bits, name: name not in own
            yield lambda bits, name: bool(bits & EARLIER) and name not in own

    def _is_own(self, name: bytes) -> bool:
        with suppress(OSError):
            return _says_ffgan(os.path.join(self.root, name))
        return False

    def _chosen(self, rule: Callable[[int, bytes], bool], unreadable: bool = False) -> list[int]:
        return [
            index
            for index, (bits, name) in enumerate(zip(self.bits, self.names, strict=True))
            if (unreadable or not bits & UNREADABLE) and rule(bits, name)
        ]

    def _select(self, chosen: list[int]) -> tuple[Names, array[int], str]:
        digest = hashlib.sha256()
        for index in chosen:
            name = self.names[index].replace(os.sep.encode(), b"/")
            digest.update(b"%s\0%d\n" % (name, self.sizes[index]))
        return (
            Names(self.names[index] for index in chosen),
            array("Q", (self.sizes[index] for index in chosen)),
            digest.hexdigest(),
        )

    def _shown(self, index: int) -> str:
        return printable(os.path.join(self.root, self.names[index]))

    # ------------------------------------------------------------------ words

    def left_out(self, include_generated: bool) -> str:
        """What the folder has besides training images, as a line of text."""
        parts = []
        if others := self.ignored.total():
            kinds = ignored.summary(self.ignored)
            parts.append(f"{counted(others, 'other file')} ignored: {kinds}")
        own = self._own()
        if own and not include_generated:
            parts.append(f"{counted(own, 'file')} left out that ffgan made of generated faces")
        if self.hidden:
            names = "hidden file or folder", "hidden files and folders"
            parts.append(f"{counted(self.hidden, *names)} left out")
        if self.repeated:
            parts.append(f"{counted(self.repeated, 'folder')} reached again through links")
        if self.unreadable:
            parts.append(self._cannot_be_read())
        return "; ".join(parts)

    def _cannot_be_read(self) -> str:
        count = len(self.unreadable)
        named = ", ".join(f"{_short(printable(name))}: {why}" for name, why in self.unreadable[:3])
        more = f", and {count - 3:,} more" if count > 3 else ""
        what = counted(count, "file or folder", "files and folders")
        return f"{what} that cannot be read ({named}{more})"

    def _own(self) -> int:
        return sum(bool(bits & OWN) for bits in self.bits)

    def no_image(self, include_generated: bool) -> DatasetError | UnavailableError:
        """The error for a folder without a training image."""
        shown = printable(self.root)
        left_out = self.left_out(include_generated)
        if any(bits & UNREADABLE for bits in self.bits):
            return UnavailableError(f"no image in {shown} can be read: {left_out}")
        if any(images.missing_extra(kind) for kind in self.ignored):
            return DatasetError(f"no image in {shown} can be read: {left_out}")
        if self._own():
            return DatasetError(
                f"no image in {shown}: {left_out}; `train` and `pack` take those, too, with "
                "--include-generated"
            )
        known = ", ".join(suffix.removeprefix(".") for suffix in sorted(images.suffixes()))
        besides = f" ({left_out})" if left_out else ""
        return DatasetError(f"no image in {shown}{besides}: give a folder with {known} files")


def _short(name: str) -> str:
    """A name of which a line of text can hold three."""
    return name if len(name) <= 200 else f"{name[:100]} ... {name[-100:]}"


def check_folder(directory: Path) -> None:
    """Raise DatasetError for what is not a folder, UnavailableError where that cannot be told."""
    shown = printable(os.fsencode(directory))
    try:
        mode = os.stat(directory).st_mode
        if stat.S_ISREG(mode):
            with directory.open("rb") as file:
                beginning = file.read(images.SNIFFED)
            raise DatasetError(f"{shown} {_instead_of_a_folder(beginning)}")
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"no such folder: {shown}") from None
    except OSError as error:
        raise cannot_read(os.fsencode(directory), error) from error
    if not stat.S_ISDIR(mode):
        raise DatasetError(f"{shown} is not a folder")


_ARCHIVES: Final = frozenset({"zip", "RAR", "7z", "gzip", "bzip2", "xz", "Zstandard", "tar"})


def _instead_of_a_folder(beginning: bytes) -> str:
    kind = images.describe(beginning)
    if beginning[257:262] == b"ustar":
        kind = "tar"
    if kind in _ARCHIVES:
        return f"is an archive ({kind}): unpack it, and give the folder that comes out"
    if kind in set(images.suffixes().values()):
        return f"is a single picture ({kind}): give a folder of pictures"
    if "video" in kind or kind == "GIF":
        return f"is a film ({kind}): save its frames as pictures and give their folder"
    what = "a file" if kind in ("unknown", "zeros", "empty") else f"a file ({kind})"
    return f"is {what}, not a folder of pictures: give one"


def cannot_read(path: bytes, error: OSError) -> UnavailableError:
    """The error that names a file or folder and what the operating system says."""
    return UnavailableError(f"cannot read {printable(path)}: {storage.reason(error)}")


def _says_ffgan(path: bytes) -> bool:
    within = images.METADATA_WITHIN
    with open(path, "rb", buffering=0) as file:
        data = file.read(within)
        if data.startswith(b"RIFF") and len(data) == within:
            file.seek(-within, os.SEEK_END)
            data = data[:12] + file.read(within)
    return images.made_by_ffgan(data)
