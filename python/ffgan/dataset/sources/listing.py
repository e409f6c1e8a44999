# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found where images lie: which of it are training images, by which rules, and in words."""

from __future__ import annotations

import hashlib
import os
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple, TypeAlias

from ffgan import images
from ffgan.dataset import ignored
from ffgan.dataset.names import Names
from ffgan.errors import DatasetError, UnavailableError
from ffgan.locations import printable
from ffgan.wording import counted

EARLIER_SUFFIXES: Final = frozenset(
    {b".jpg", b".jpeg", b".png", b".webp", b".bmp", b".tif", b".tiff"}
)
"""The only files that were training images up to version 0.2."""

EARLIER, NEEDS_EXTRA, OWN, UNREADABLE = 1, 2, 4, 8
"""What is known of a file, as bits: it has one of EARLIER_SUFFIXES, an extra reads it, ffgan made
it of generated faces, it may not be read."""

# The names that ffgan gives to pictures of generated faces, also where a copy has been numbered.
_OWN_NAME = re.compile(rb"(faces?|frame|step|ffgan)-[^/]*\.(png|jpe?g|webp)", re.IGNORECASE)

# What finders and file managers put into archives is hidden on a disk, too.
_HIDDEN: Final = (b".", b"__MACOSX")

Look: TypeAlias = Callable[[int], bytes | None]
"""A look into a file: its first n bytes, of a negative n the last; None for no regular file."""


class Selection(NamedTuple):
    """Training images: their names and sizes, their numbers in the listing, the names' hash."""

    names: Names
    sizes: array[int]
    numbers: array[int]
    hash: str


class Listing:
    """The files of a source that may be training images, by name, once it is `sort`-ed.

    ``names``, ``sizes``, ``bits`` and ``numbers`` belong together; a number says the how-manieth
    call of `add` it was. ``ignored`` counts other files by kind; ``unreadable`` are files and
    folders that cannot be read, with the reason; ``away`` those of them that may be images all the
    same, no links that lead nowhere. ``archives`` are the names of files that hold images
    themselves.

    ``shown``: the source for messages; ``what`` it is: "a folder". ``look_again`` looks into a
    file, by its name and number, later.
    """

    def __init__(
        self,
        shown: str,
        what: str = "a folder",
        look_again: Callable[[bytes, int], Look] | None = None,
    ) -> None:
        self.shown = shown
        self.what = what
        self.look_again = look_again
        self.ignored: Counter[str] = Counter()
        self.hidden = self.repeated = self.doubled = 0
        self.unreadable: list[tuple[bytes, str]] = []
        self.away: list[tuple[bytes, str]] = []
        self.archives: list[bytes] = []
        self.names: list[bytes] = []
        self.sizes, self.bits, self.numbers = array("Q"), array("B"), array("Q")
        self.above: bytes | None = None
        """The folder in which all members of an archive lie, with a slash, if there is one."""
        # Suffixes without a look inside; where an extra is missing, it may still be another kind.
        self._readable = dict.fromkeys(EARLIER_SUFFIXES, EARLIER)
        for text, kind in images.suffixes().items():
            suffix = text.encode()
            if suffix not in self._readable and not images.missing_extra(kind):
                self._readable[suffix] = NEEDS_EXTRA if kind in images.EXTRAS else 0
        self._kinds = set(images.suffixes().values())

    # ------------------------------------------------------------------ filling it

    def classify(self, name: bytes, look: Look) -> int | None:
        """What is known of a file, None where it is no training image, which then is counted."""
        suffix = os.path.splitext(name)[1].lower()
        bits = self._readable.get(suffix)
        if bits is None:
            if suffix in ignored.HOLDS_IMAGES:
                self.archives.append(name)
            if (kind := self._other_kind(name, suffix, look)) is not None:
                self.ignored[kind] += 1
                return None
            bits = 0
        if _OWN_NAME.fullmatch(os.path.basename(name)) and _says_ffgan(look):
            bits |= OWN
        return bits

    def _other_kind(self, name: bytes, suffix: bytes, look: Look) -> str | None:
        """What a file is whose name does not say that it is an image; None for an image."""
        if name.endswith(b"~"):
            return ignored.UNFINISHED
        if suffix in ignored.BY_SUFFIX:
            return ignored.BY_SUFFIX[suffix]
        beginning = look(images.SNIFFED)
        if beginning is None:
            return ignored.NOT_REGULAR
        kind = ignored.kind_of_content(beginning, suffix)
        return None if kind in self._kinds and not images.missing_extra(kind) else kind

    def add(self, name: bytes, size: int, bits: int) -> None:
        """Append a file that may be a training image."""
        self.numbers.append(len(self.names))
        self.names.append(name)
        self.sizes.append(size)
        self.bits.append(bits)

    def add_member(self, name: bytes, size: int, look: Look) -> bool:
        """Append a file of an archive, by its `label`, unless it is no training image."""
        parts = name.split(b"/")
        if not name or any(part.startswith(_HIDDEN) for part in parts):
            self.hidden += 1
            return False
        top = parts[0] + b"/" if len(parts) > 1 else b""
        if self.above != top:
            self.above = top if self.above is None else b""
        if (bits := self.classify(name, look)) is None:
            return False
        self.add(name, size, bits)
        return True

    def sort(self) -> None:
        """Bring what was added into the order of the names; of one name the last is kept.

        The folder in which all members of an archive lie is left out of their names, as it is where
        the archive is unpacked and that folder given.
        """
        if self.above:
            self.names = [name[len(self.above) :] for name in self.names]
        names = self.names
        order = sorted(range(len(names)), key=names.__getitem__)
        last = [
            index
            for place, index in enumerate(order)
            if place + 1 == len(order) or names[order[place + 1]] != names[index]
        ]
        self.doubled += len(order) - len(last)
        self.names = [names[index] for index in last]
        self.sizes = array("Q", (self.sizes[index] for index in last))
        self.bits = array("B", (self.bits[index] for index in last))
        self.numbers = array("Q", (self.numbers[index] for index in last))
        self.unreadable.sort()

    def forget(self) -> None:
        """Give back the memory of what is needed no more, once training images are chosen."""
        self.names, self.sizes, self.bits = [], array("Q"), array("B")
        self.numbers, self.archives = array("Q"), []

    # ------------------------------------------------------------------ rules

    def choose(self, include_generated: bool, as_of: str | None) -> Selection:
        """The training images.

        ``as_of`` is the hash that they had for the run which is resumed: where today's rules give
        another one, those of earlier versions count, if they give it, or what was readable then.
        Raises UnavailableError where it cannot be told because something cannot be read.
        """
        chosen = self._chosen(lambda bits, name: include_generated or not bits & OWN)
        found = self._select(chosen)
        if as_of is None or found.hash == as_of:
            return found
        for rule in self._rules(include_generated):
            chosen = self._chosen(rule, unreadable=True)
            for above in self._folders_above():
                other = self._select(chosen, above)
                if other.hash == as_of:
                    for index in chosen:
                        if self.bits[index] & UNREADABLE:
                            raise UnavailableError(
                                f"cannot read {self._shown(index)}: Permission denied; the run "
                                "that is resumed has it: make it readable"
                            )
                    return other
        if self.away:
            raise UnavailableError(
                f"{self.shown} does not hold the images of the run that is resumed, but has "
                f"{self._cannot_be_read()}: make them readable, or choose another --name"
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
            for name, number in zip(self.names, self.numbers, strict=True)
            if os.path.splitext(name)[1].lower() in (b".png", b".jpg", b".jpeg", b".webp")
            and self._is_own(name, number)
        }
        if own:
            yield lambda bits, name: name not in own
            yield lambda bits, name: bool(bits & EARLIER) and name not in own

    def _is_own(self, name: bytes, number: int) -> bool:
        with suppress(OSError, UnavailableError, DatasetError):
            return self.look_again is not None and _says_ffgan(self.look_again(name, number))
        return False

    def _folders_above(self) -> Iterator[bytes]:
        """What may be put before the names: a run may have begun with the folder or the archive."""
        yield b""
        if self.above:
            yield self.above

    def _chosen(self, rule: Callable[[int, bytes], bool], unreadable: bool = False) -> list[int]:
        return [
            index
            for index, (bits, name) in enumerate(zip(self.bits, self.names, strict=True))
            if (unreadable or not bits & UNREADABLE) and rule(bits, name)
        ]

    def _select(self, chosen: list[int], above: bytes = b"") -> Selection:
        digest = hashlib.sha256()
        for index in chosen:
            name = above + self.names[index].replace(os.sep.encode(), b"/")
            digest.update(b"%s\0%d\n" % (name, self.sizes[index]))
        return Selection(
            Names(above + self.names[index] for index in chosen),
            array("Q", (self.sizes[index] for index in chosen)),
            array("Q", (self.numbers[index] for index in chosen)),
            digest.hexdigest(),
        )

    def _shown(self, index: int) -> str:
        return f"{self.shown.rstrip('/')}/{printable(self.names[index])}"

    # ------------------------------------------------------------------ words

    def left_out(self, include_generated: bool) -> str:
        """What the source has besides training images, as a line of text."""
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
        if self.doubled:
            parts.append(f"{counted(self.doubled, 'file')} left out whose name comes again")
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
        """The error for a source without a training image."""
        left_out = self.left_out(include_generated)
        if any(bits & UNREADABLE for bits in self.bits):
            return UnavailableError(f"no image in {self.shown} can be read: {left_out}")
        if any(images.missing_extra(kind) for kind in self.ignored):
            return DatasetError(f"no image in {self.shown} can be read: {left_out}")
        if self._own():
            return DatasetError(
                f"no image in {self.shown}: {left_out}; `train` and `pack` take those, too, with "
                "--include-generated"
            )
        known = ", ".join(suffix.removeprefix(".") for suffix in sorted(images.suffixes()))
        besides = f" ({left_out})" if left_out else ""
        return DatasetError(
            f"no image in {self.shown}{besides}: give {self.what} with {known} files"
        )


def _short(name: str) -> str:
    """A name of which a line of text can hold three."""
    return name if len(name) <= 200 else f"{name[:100]} ... {name[-100:]}"


def _says_ffgan(look: Look) -> bool:
    within = images.METADATA_WITHIN
    data = look(within) or b""
    if data.startswith(b"RIFF") and len(data) == within:
        data = data[:12] + (look(-within) or b"")
    return images.made_by_ffgan(data)
