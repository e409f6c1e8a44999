# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of places: a path on this machine, or a URL that fsspec knows."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ffgan.errors import UsageError, escaped

MOST_FILES: Final = 1_000_000
"""Names that a pattern in braces may stand for."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")


@dataclass(frozen=True)
class Url:
    """A place such as ``s3://bucket/faces``: pathlib would make one slash of the two."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def scheme(self) -> str:
        """``s3`` of ``s3://bucket/faces``."""
        return self.text.partition("://")[0].lower()

    @property
    def name(self) -> str:
        """The last part, like that of a path."""
        return self.text.rstrip("/").rpartition("/")[2]


Location: TypeAlias = Path | Url


GivenPlace: TypeAlias = str | os.PathLike[str] | Url
"""How a place may be given."""


def place(given: GivenPlace) -> Location:
    """The path as it was given, or the URL, that a text or path names."""
    if isinstance(given, Url):
        return given
    if isinstance(given, str) and _URL.match(given):
        return Url(given)
    return Path(given)


def locate(given: GivenPlace) -> Location:
    """The absolute path, or the URL, that a text or path names."""
    location = place(given)
    return location if isinstance(location, Url) else Path(os.path.abspath(location))


def printable(name: bytes) -> str:
    """A file name as one line of text: bytes that are not UTF-8 and control characters escaped."""
    return escaped(name.decode("utf-8", "backslashreplace"))


def shown(location: Location, name: bytes = b"") -> str:
    """A place, or what is called ``name`` below it, as one line of text."""
    place = os.fsencode(str(location))
    return printable(place.rstrip(b"/") + b"/" + name if name else place)


def expand_braces(pattern: str) -> list[str]:
    """The names that a pattern stands for, as a shell makes them of ``{000..009}`` and ``{a,b}``.

    Raises UsageError for more than `MOST_FILES`.
    """
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop()
        found = next((each for each in _BRACES.finditer(text) if len(_choices(each[1])) > 1), None)
        if found is None:
            done.append(text)
            continue
        choices = _choices(found[1])
        if len(done) + len(waiting) + len(choices) > MOST_FILES:
            raise UsageError(f"{pattern} names more than {MOST_FILES:,} files: give fewer")
        before, after = text[: found.start()], text[found.end() :]
        waiting.extend(f"{before}{choices[i]}{after}" for i in reversed(range(len(choices))))
    return done


class _Numbers(Sequence[str]):
    """``{08..11}``: 08, 09, 10, 11."""

    def __init__(self, first: str, last: str) -> None:
        step = 1 if int(first) <= int(last) else -1
        self._range = range(int(first), int(last) + step, step)
        padded = any(text.startswith("0") and len(text) > 1 for text in (first, last))
        self._digits = max(len(first), len(last)) if padded else 0

    def __len__(self) -> int:
        return min(len(self._range), sys.maxsize)

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        return f"{self._range[index]:0{self._digits}}"


def _choices(inside: str) -> Sequence[str]:
    """What one pair of braces stands for; nothing where they are only letters of a name."""
    if numbers := _RANGE.fullmatch(inside):
        return _Numbers(numbers[1], numbers[2])
    return inside.split(",") if "," in inside else ()
