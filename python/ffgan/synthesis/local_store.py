# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set in a folder, also one that several machines share."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ffgan import storage
from ffgan.errors import Error, UsageError
from ffgan.locations import Location
from ffgan.synthesis.store import PRIVATE, FolderSink, RowSink, Sink, Written

_BLOCK: Final = 1 << 20


class LocalStore:
    """A `Store` in a folder; see there."""

    def __init__(self, root: Path) -> None:
        self.root: Location = root
        self._root = root

    def __getstate__(self) -> dict[str, Any]:
        """For other processes, whose working folder may be another one."""
        root = Path(os.path.abspath(self._root))
        return {"root": root, "_root": root}

    def __str__(self) -> str:
        return str(self._root)

    def check(self, format: str) -> None:
        """All formats can."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A context without another process in it that makes a set here; makes the folder."""
        try:
            (self._root / PRIVATE).mkdir(parents=True, exist_ok=True)
            lock = storage.acquire_lock(self._root / PRIVATE)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{self._root} is not a folder: give another one") from None
        except BlockingIOError:
            raise Error(
                f"another process makes a data set in {self._root}: wait, or give another folder"
            ) from None
        except OSError as error:
            raise self._cannot("write to", self._root, error) from error
        try:
            yield
        finally:
            os.close(lock)

    def is_foreign(self) -> bool:
        """Whether something is there that is no data set of ours."""
        try:
            return (
                self._root.is_dir()
                and not (self._root / PRIVATE).is_dir()
                and any(self._root.iterdir())
            )
        except OSError as error:
            raise self._cannot("read", self._root, error) from error

    def sweep(self) -> None:
        """Remove what a killed process left. Only one process may be writing."""
        for folder, folders, _ in os.walk(self._root):
            path = Path(folder)
            storage.remove_temporary_files(path)
            for name in [name for name in folders if _is_temporary(name)]:
                shutil.rmtree(path / name, ignore_errors=True)
                folders.remove(name)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None if there is none."""
        path = self._root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._cannot("read", path, error) from error

    def size(self, name: str) -> int | None:
        """The size of a file in bytes, None if there is none."""
        path = self._root / name
        try:
            return path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._cannot("read", path, error) from error

    def has(self, files: Sequence[Written]) -> bool:
        return all(self.size(one.name) == one.size for one in files)

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where it is not there."""
        path = self._root / folder
        try:
            return sorted(one.name for one in path.iterdir() if not _is_temporary(one.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._cannot("read", path, error) from error

    def write(self, name: str, content: bytes) -> Written:
        """Replace a file."""
        with self.file(name) as sink:
            sink.write(content)
        return sink.written(name)

    def create(self, name: str, content: bytes) -> bool:
        """See `Store.create`; nobody else writes within `alone`."""
        if self.size(name) is not None:
            return False
        self.write(name, content)
        return True

    @contextmanager
    def file(self, name: str) -> Iterator[Sink]:
        """A context in which the content of a file is written; it is there after the end."""
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage.atomic_file(path) as file:
                sink = Sink(file)
                yield sink
        except OSError as error:
            raise self._cannot("write", path, error) from error

    @contextmanager
    def folder(self, name: str) -> Iterator[FolderSink]:
        """See `Store.folder`.

        Its files are not brought to the disk one by one: whoever reads them compares their sizes.
        A worker that was given up may still be filling the same one: each has a name of its own.
        """
        path = self._root / name
        temporary, old = (path.with_name(f".{secrets.token_hex(8)}.tmp") for _ in range(2))
        try:
            temporary.mkdir(parents=True)
            yield _Filling(temporary)
            try:
                temporary.replace(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                path.replace(old)
                temporary.replace(path)
        except OSError as error:
            raise self._cannot("write", path, error) from error
        finally:
            for one in (temporary, old):
                shutil.rmtree(one, ignore_errors=True)

    @contextmanager
    def rows(self, name: str, header: bytes, size: int) -> Iterator[RowSink]:
        """A context in which rows of a file of ``size`` bytes with a header are written.

        Several processes may write rows of one file.
        """
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not for reading: then an NFS client writes back what was written, not whole pages,
            # which may hold rows of another machine.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.ftruncate(descriptor, size)
                os.pwrite(descriptor, header, 0)
                yield RowSink(descriptor)
                storage.synchronise(descriptor, path)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._cannot("write", path, error) from error

    def sum(self, name: str) -> Written:
        """Read a file to its end for its size and SHA-256."""
        path = self._root / name
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
        except OSError as error:
            raise self._cannot("read", path, error) from error
        return Written(name, size, digest.hexdigest())

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        path = self._root / name
        try:
            with suppress(FileNotFoundError):
                path.unlink()
        except OSError as error:
            raise self._cannot("remove", path, error) from error

    def _cannot(self, what: str, path: Path, error: OSError) -> Error:
        way = "check the disk" if what == "read" else storage.remedy(error)
        return Error(
            f"cannot {what} {path}: {storage.reason(error)}; {way} and run the same command again, "
            "or give another folder"
        )


class _Filling:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, content: bytes) -> None:
        (self._path / name).write_bytes(content)


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith((".tmp", ".part"))
