# SPDX-License-Identifier: GPL-3.0-or-later
"""Files behind URLs, through fsspec: ``s3://``, ``hf://``, ``gs://``, ``https://`` and others.

How to get there, such as keys and end points, the package of each protocol reads from its own
environment variables and files.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple

from ffgan.errors import DatasetError, Error, ExtraError, UnavailableError, UsageError
from ffgan.locations.location import Location, Url, expand_braces

AHEAD: Final = 1 << 20
"""Bytes that are read at once where a file is read from one place to the next."""

AHEAD_FILES: Final = 16
"""Files of which what was read ahead is kept."""

ASKED_EVERY: Final = 10.0
"""Seconds between two questions whether a file has changed."""


class RemoteEntry(NamedTuple):
    """A file below a place: its name, its bytes, and a number that differs once it has changed."""

    name: bytes
    size: int
    version: int


class RemoteTree:
    """The files below a place, or the one at it.

    Raises DatasetError where there is nothing, ExtraError where a package is missing,
    UnavailableError where it cannot be asked.
    """

    def __init__(self, url: Url) -> None:
        self.url = url
        self._system, self._path = filesystem(url)
        with asking(url):
            self._system.invalidate_cache(self._path)  # a listing may be old
            about = _information(self._system, self._path, url)
        self.is_folder = str(about["type"]) == "directory"

    def files(self) -> Iterator[RemoteEntry]:
        """All files below the place; those whose size is not known have -1."""
        with asking(self.url):
            found = self._system.find(self._path, detail=True)
        start = len(self._path.rstrip("/")) + 1
        for path, about in found.items():
            if about["type"] == "file":
                name = path[start:].encode("utf-8", "surrogateescape")
                yield RemoteEntry(name, *_state(about))

    def read(self, name: bytes, start: int | None, end: int | None) -> bytes:
        """Some bytes of a file below the place, by the rules of slices."""
        path = f"{self._path.rstrip('/')}/{name.decode('utf-8', 'surrogateescape')}"
        with asking(self.at(name)):
            content = _some(self._system, path, start, end)
        return content

    def at(self, name: bytes) -> Url:
        """The URL of a file below the place."""
        text = name.decode("utf-8", "surrogateescape")
        return Url(f"{self.url.text.rstrip('/')}/{text}")


def matching(url: Url) -> list[Url]:
    """The files that a pattern stands for, in braces or with ``*``; none for no pattern."""
    found: list[Url] = []
    for each in expand_braces(url.text):
        if "*" not in each:
            found.append(Url(each))
            continue
        system, path = filesystem(Url(each))
        with asking(url):
            found += [Url(system.unstrip_protocol(name)) for name in sorted(system.glob(path))]
    return found if found != [url] else []


class RemoteFile:
    """A `RandomAccess` of a file behind a URL.

    Raises DatasetError where there is none, ExtraError where a package is missing,
    UnavailableError where it cannot be asked. A file that is read from one place to the next is
    read ahead, since each request takes as long as some 100 kB.
    """

    _ahead: ClassVar[OrderedDict[int, tuple[int, bytes]]] = OrderedDict()
    _ahead_lock: ClassVar = threading.Lock()
    _numbers: ClassVar = itertools.count()

    def __init__(self, url: Url) -> None:
        self.location: Location = url
        self._system, self._path = filesystem(url)
        with asking(url):
            self._system.invalidate_cache(self._path)
            about = _information(self._system, self._path, url)
        self.size, self.changed = _state(about)
        if self.size < 0:
            raise DatasetError(f"{url} does not say how many bytes it has")
        self._number = next(self._numbers)
        self._end = -1
        self._asked = time.monotonic()

    def read(self, offset: int, count: int) -> bytes:
        """See `RandomAccess`."""
        count = max(0, min(count, self.size - offset))
        with self._ahead_lock:
            start, content = self._ahead.get(self._number, (0, b""))
            if start <= offset and offset + count <= start + len(content):
                self._end = offset + count
                return content[offset - start : offset - start + count]
            goes_on = 0 <= offset - self._end < AHEAD
            self._end = offset + count
        fetched = max(count, AHEAD) if goes_on else count
        content = self._fetch(offset, min(fetched, self.size - offset))
        with self._ahead_lock:
            if goes_on and count < AHEAD:
                self._ahead[self._number] = offset, content
                self._ahead.move_to_end(self._number)
                if len(self._ahead) > AHEAD_FILES:
                    self._ahead.popitem(last=False)
            else:
                self._ahead.pop(self._number, None)
        return content[:count]

    def _fetch(self, offset: int, count: int) -> bytes:
        if not count:
            return b""
        with asking(self.location):
            content = _some(self._system, self._path, offset, offset + count)
        if len(content) != count:
            raise UnavailableError(
                f"cannot read {self.location}: {len(content)} bytes came instead of {count}"
            )
        return content

    def check_unchanged(self) -> None:
        """See `RandomAccess`."""
        if time.monotonic() - self._asked < ASKED_EVERY:
            return
        with asking(self.location):
            self._system.invalidate_cache(self._path)
            state = _state(self._system.info(self._path))
        if state != (self.size, self.changed):
            raise UnavailableError(
                f"cannot read {self.location}: it has changed since it was opened"
            )
        self._asked = time.monotonic()


@contextmanager
def asking(url: Location) -> Iterator[None]:
    """Within it what a protocol's package raises becomes an UnavailableError.

    They have exceptions of many kinds, and few of them are OSErrors.
    """
    try:
        yield
    except Error:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnavailableError(f"cannot read {url}: {reason[:300]}") from error


def filesystem(url: Url) -> tuple[Any, str]:
    """The fsspec file system of a URL, and its path there.

    Raises ExtraError without a package, UsageError for a protocol that nobody knows.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ExtraError(f"{url} is a URL: pip install 'ffgan[remote]' reads those") from error
    try:
        system, path = fsspec.core.url_to_fs(url.text)
    except ImportError as error:
        raise ExtraError(
            f"{url} needs another package: {error}; pip install 'ffgan[remote]' has those for "
            "s3:// and hf://"
        ) from error
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from error
    return system, path


def _some(system: Any, path: str, start: int | None, end: int | None) -> bytes:
    """Some bytes of a file, by the rules of slices."""
    # huggingface_hub would fetch 5 MB more than it is asked for.
    exactly = {"cache_type": "none"} if "hf" in system.protocol else {}
    content: bytes = system.cat_file(path, start=start, end=end, **exactly)
    return content


def _information(system: Any, path: str, url: Url) -> dict[str, Any]:
    try:
        about: dict[str, Any] = system.info(path)
    except FileNotFoundError as error:
        raise DatasetError(f"there is nothing at {url}") from error
    return about


def _state(about: dict[str, Any]) -> tuple[int, int]:
    """The size of a file, -1 where it is not known; a number that differs once it has changed."""
    known = ("ETag", "etag", "LastModified", "last_modified", "mtime", "modified", "created")
    version = [str(about[key]) for key in (*known, "blob_id", "md5") if about.get(key)]
    digest = hashlib.sha256(repr((about["size"], version)).encode()).digest()
    size = about["size"]
    return -1 if size is None else int(size), int.from_bytes(digest[:7], "big")
