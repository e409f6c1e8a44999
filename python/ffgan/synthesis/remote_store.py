# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set behind a URL, through fsspec.

A file is made here, in a temporary file, and goes there in one piece: what writes while it goes on
(``fs.open(..., "wb")``) publishes half of it, over a good one, when anything fails. Object stores
show an upload when it is complete. Elsewhere it gets its name when it is.
"""

from __future__ import annotations

import hashlib
import inspect
import posixpath
import secrets
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final, NoReturn

from ffgan import storage
from ffgan.errors import Error, UsageError
from ffgan.locations import Location, Url, filesystem
from ffgan.locations.remote_errors import way_out, why
from ffgan.synthesis.store import PRIVATE, FolderSink, Sink, Written

WHOLE: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "memory"})
"""Where an upload that was begun is not seen until it is complete."""

EXCLUSIVE: Final = frozenset({"s3", "s3a", "gs", "gcs"})
"""Where a file can be written on the condition that there is none."""

UPLOADS: Final = 16
"""Files of a folder that go there at the same time."""

PARTS: Final = 2
"""Parts of a large file that go there at the same time."""

_BLOCK: Final = 1 << 20
_DESCRIPTORS: Final = Path("/proc/self/fd")
_LISTED: Final = 4
"""So many files in one folder are listed, fewer asked for one by one."""


class RemoteStore:
    """A `Store` behind a URL; see there. Nobody else is kept out of it: shards are the same bytes
    whoever makes them, so two who make a set do some twice."""

    def __init__(self, root: Url) -> None:
        self.root: Location = root
        self._url = root
        _ = self._place

    @cached_property
    def _place(self) -> tuple[Any, str]:
        system, path = filesystem(self._url)
        return system, path.rstrip("/")

    def __getstate__(self) -> dict[str, Any]:
        """For other processes, which connect themselves, with the credentials that they have."""
        return {"root": self.root, "_url": self._url}

    @property
    def _fs(self) -> Any:
        return self._place[0]

    def __str__(self) -> str:
        return str(self._url)

    def check(self, format: str) -> None:
        if format == "npy":
            raise self._no_rows()
        if format == "folder" and self._url.scheme == "hf":
            raise UsageError(
                f"{self}: hf:// makes a commit of each file: give parquet or webdataset as the "
                "format"
            )

    def alone(self) -> nullcontext[None]:
        return nullcontext()

    def is_foreign(self) -> bool:
        found = self._listed("")
        return bool(found) and PRIVATE not in found

    def sweep(self) -> None:
        if self._url.scheme in WHOLE:
            return
        try:
            for path in self._fs.find(self._place[1]):
                if posixpath.basename(path).startswith(".ffgan-"):
                    self._fs.rm_file(path)
        except FileNotFoundError:
            return
        except Exception as error:
            self._cannot("write to", "", error)

    def read(self, name: str) -> bytes | None:
        try:
            content: bytes = self._fs.cat_file(self._at(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            self._cannot("read", name, error)
        return content

    def size(self, name: str) -> int | None:
        try:
            self._fs.invalidate_cache()
            found = self._fs.info(self._at(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            self._cannot("read", name, error)
        return int(found["size"]) if found["type"] == "file" else None

    def has(self, files: Sequence[Written]) -> bool:
        folders: dict[str, list[Written]] = {}
        for one in files:
            folders.setdefault(posixpath.dirname(one.name), []).append(one)
        for folder, some in folders.items():
            if len(some) < _LISTED:
                there = {one.name: self.size(one.name) for one in some}
            else:
                listed = self._listed(folder)
                there = {one.name: listed.get(posixpath.basename(one.name)) for one in some}
            if any(there[one.name] != one.size for one in some):
                return False
        return True

    def names(self, folder: str) -> list[str]:
        listed = self._listed(folder)
        return sorted(name for name, size in listed.items() if size is not None)

    def _listed(self, folder: str) -> dict[str, int | None]:
        """Sizes by name, None that of a folder; empty where it is not there."""
        try:
            self._fs.invalidate_cache()  # s3fs would tell of what is gone, and not of what is new
            found = self._fs.ls(self._at(folder), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except Exception as error:
            self._cannot("read", folder, error)
        return {
            posixpath.basename(one["name"].rstrip("/")): (
                int(one["size"] or 0) if one["type"] == "file" else None
            )
            for one in found
        }

    def write(self, name: str, content: bytes) -> Written:
        with self.file(name) as sink:
            sink.write(content)
        return sink.written(name)

    def create(self, name: str, content: bytes) -> bool:
        """See `Store.create`; of two who do it at once only one succeeds where `EXCLUSIVE`."""
        if self._url.scheme in EXCLUSIVE:
            with suppress(Exception):  # what it means, a look tells, or writing without a condition
                self._fs.pipe_file(self._at(name), content, mode="create")
                return True
        if self.size(name) is not None:
            return False
        self.write(name, content)
        return True

    @contextmanager
    def file(self, name: str) -> Iterator[Sink]:
        with _temporary() as file:
            sink = Sink(_Told(file))  # type: ignore[arg-type]
            yield sink
            try:
                file.flush()
            except OSError as error:
                raise _no_room(error) from error
            self._put(_path_of(file), name)

    @contextmanager
    def folder(self, name: str) -> Iterator[FolderSink]:
        """See `Store.folder`: what is added last comes last, and the folder is whole with it."""
        pool = ThreadPoolExecutor(UPLOADS, "uploads")
        try:
            filling = _Filling(self, name, pool)
            yield filling
            filling.finish()
        finally:
            pool.shutdown(cancel_futures=True)

    def rows(self, name: str, header: bytes, size: int) -> NoReturn:
        """Raises what `check` does."""
        raise self._no_rows()

    def _no_rows(self) -> UsageError:
        return UsageError(
            f"{self}: npy files are written in place, which needs a folder: give one and copy it "
            "there, or give another format"
        )

    def sum(self, name: str) -> Written:
        digest, size = hashlib.sha256(), 0
        try:
            with self._fs.open(self._at(name), "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
        except Exception as error:
            self._cannot("read", name, error)
        return Written(name, size, digest.hexdigest())

    def remove(self, name: str) -> None:
        try:
            if self.size(name) is not None:
                self._fs.rm_file(self._at(name))
        except FileNotFoundError:
            return
        except Exception as error:
            self._cannot("remove", name, error)

    def put(self, name: str, content: bytes) -> None:
        """Replace a file that is in memory."""
        try:
            if self._url.scheme in WHOLE:
                self._fs.pipe_file(self._at(name), content)
                return
        except Exception as error:
            self._cannot("write", name, error)
        self.write(name, content)

    def _put(self, path: str, name: str) -> None:
        there = self._at(name)
        try:
            if self._url.scheme in WHOLE:
                self._fs.put_file(path, there, **self._few_parts())
                return
            self._fs.makedirs(posixpath.dirname(there), exist_ok=True)
            under_way = posixpath.join(
                posixpath.dirname(there), f".ffgan-{secrets.token_hex(8)}.tmp"
            )
            try:
                self._fs.put_file(path, under_way)
                self._fs.mv(under_way, there)
            except BaseException:
                with suppress(Exception):
                    self._fs.rm_file(under_way)
                raise
        except Exception as error:
            self._cannot("write", name, error)

    def _few_parts(self) -> dict[str, int]:
        """For an upload in parts of 50 MB: s3fs would have ten of them in memory."""
        taken = inspect.signature(getattr(self._fs, "_put_file", self._fs.put_file)).parameters
        return {"max_concurrency": PARTS} if "max_concurrency" in taken else {}

    def _at(self, name: str) -> str:
        return f"{self._place[1]}/{name}" if name else self._place[1]

    def _cannot(self, what: str, name: str, error: Exception) -> NoReturn:
        place = f"{self._url.text.rstrip('/')}/{name}" if name else str(self._url)
        raise Error(
            f"cannot {what} {place}: {why(error)}; {way_out(self._url, error)} and run the same "
            "command again, or give another place"
        ) from error


class _Filling:
    """Sends files in threads, all but the last one, which waits for them."""

    def __init__(self, store: RemoteStore, name: str, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._name = name
        self._pool = pool
        self._last: tuple[str, bytes] | None = None
        self._under_way: deque[Future[None]] = deque()

    def add(self, name: str, content: bytes) -> None:
        if self._last is not None:
            self._under_way.append(self._pool.submit(self._store.put, *self._last))
        self._last = f"{self._name}/{name}", content
        while len(self._under_way) > 2 * UPLOADS:
            self._under_way.popleft().result()

    def finish(self) -> None:
        while self._under_way:
            self._under_way.popleft().result()
        if self._last is not None:
            self._store.put(*self._last)


class _Told:
    """A temporary file whose errors name the folder in which it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            raise _no_room(error) from error


@contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    try:
        # On Linux without a name: nothing is left of it when this process is killed.
        made = tempfile.TemporaryFile if _DESCRIPTORS.is_dir() else tempfile.NamedTemporaryFile
        file = made(prefix="ffgan-")
    except OSError as error:
        raise _no_room(error) from error
    try:
        yield file
    finally:
        with suppress(OSError):  # it writes what a full disk did not take; that was told already
            file.close()


def _path_of(file: IO[bytes]) -> str:
    return str(_DESCRIPTORS / str(file.fileno())) if _DESCRIPTORS.is_dir() else file.name


def _no_room(error: OSError) -> Error:
    return Error(
        f"cannot write a file to {tempfile.gettempdir()}: {storage.reason(error)}; "
        f"{storage.remedy(error)}, or give another folder for temporary files by TMPDIR"
    )
