# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a data set is written: the one place that makes its files.

Names are relative and have slashes. A file is whole or not there, and so is a folder of files. A
file of rows has its full size from its first row on; which rows it has is in the records of shards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

from ffgan import storage
from ffgan.errors import Error, UsageError

PRIVATE: Final = ".ffgan"
"""The folder of what ffgan itself needs; readers of data sets skip names that begin with a dot."""

_BLOCK: Final = 1 << 20


class Written(NamedTuple):
    """A finished file, its size in bytes, and the SHA-256 of its content as hex."""

    name: str
    size: int
    sha256: str


class Sink:
    """A file under way: what is written is hashed. Enough of a file for tarfile and pyarrow."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._digest.update(view)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """What is written comes to the disk at the end."""

    def close(self) -> None:
        """Whoever made it closes it."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def written(self, name: str) -> Written:
        return Written(name, self._size, self._digest.hexdigest())


class FolderSink(Protocol):
    """A folder under way."""

    def add(self, name: str, content: bytes) -> None:
        """Write a file of it. May be called from several threads."""


class Store:
    """A folder of the local file system; may be pickled.

    What cannot be written raises `Error`, one line with the file and the way out.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A context without another process in it that makes a set here; makes the folder."""
        try:
            (self.root / PRIVATE).mkdir(parents=True, exist_ok=True)
            lock = storage.acquire_lock(self.root / PRIVATE)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{self.root} is not a folder: give another one") from None
        except BlockingIOError:
            raise Error(
                f"another process makes a data set in {self.root}: wait, or give another folder"
            ) from None
        except OSError as error:
            raise self._cannot("write to", self.root, error) from error
        try:
            yield
        finally:
            os.close(lock)

    def is_foreign(self) -> bool:
        """Whether something is there that is no data set of ours."""
        try:
            return (
                self.root.is_dir()
                and not (self.root / PRIVATE).is_dir()
                and any(self.root.iterdir())
            )
        except OSError as error:
            raise self._cannot("read", self.root, error) from error

    def sweep(self) -> None:
        """Remove what a killed process left. Only one process may be writing."""
        for folder, folders, _ in os.walk(self.root):
            path = Path(folder)
            storage.remove_temporary_files(path)
            for name in [name for name in folders if _is_temporary(name)]:
                shutil.rmtree(path / name, ignore_errors=True)
                folders.remove(name)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None if there is none."""
        path = self.root / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._cannot("read", path, error) from error

    def size(self, name: str) -> int | None:
        """The size of a file in bytes, None if there is none."""
        path = self.root / name
        try:
            return path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._cannot("read", path, error) from error

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where it is not there."""
        path = self.root / folder
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

    @contextmanager
    def file(self, name: str) -> Iterator[Sink]:
        """A context in which the content of a file is written; it is there after the end."""
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage.atomic_file(path) as file:
                sink = Sink(file)
                yield sink
        except OSError as error:
            raise self._cannot("write", path, error) from error

    @contextmanager
    def folder(self, name: str) -> Iterator[FolderSink]:
        """A context in which a folder is filled; it is there after the end, and an old one gone.

        Its files are not brought to the disk one by one: whoever reads them compares their sizes.
        """
        path = self.root / name
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            yield _Filling(temporary)
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
        except OSError as error:
            raise self._cannot("write", path, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextmanager
    def rows(self, name: str, header: bytes, size: int) -> Iterator[RowSink]:
        """A context in which rows of a file of ``size`` bytes with a header are written.

        Several processes may write rows of one file.
        """
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
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
        path = self.root / name
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
        path = self.root / name
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


class RowSink:
    """Rows of a file under way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def put(self, data: bytes, offset: int) -> None:
        """Write ``data`` at ``offset`` bytes from the start of the file."""
        view = memoryview(data).cast("B")
        while len(view):
            done = os.pwrite(self._descriptor, view, offset)
            view, offset = view[done:], offset + done


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith((".tmp", ".part"))
