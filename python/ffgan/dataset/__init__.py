# SPDX-License-Identifier: GPL-3.0-or-later
"""The training images: walk a folder, decode ahead in threads, hand out batches in a fixed order.

Nothing is decoded at the start, so 250,000 files are ready in seconds. A file that turns out to be
broken is reported once and its place in the batch is taken by the next one; it is never fatal.
`docs/dataset.md` has the rules in full and the measured speed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import struct
import threading
import time
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from ffgan import images, storage
from ffgan.errors import DatasetError, Error, UsageError
from ffgan.images import FITS, Fit, fit_square
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB

__all__ = ["Batches", "Dataset", "Fit", "fit_square", "overlap", "pack", "printable"]

SUFFIXES: Final = frozenset({b".jpg", b".jpeg", b".png", b".webp", b".bmp", b".tif", b".tiff"})

MAX_FILE_BYTES: Final = 1 << 29
"""Larger files are refused before they are read: no image within images.MAX_PIXELS needs more."""

PROBED_FILES: Final = 256
PROBED_BYTES: Final = 1 << 16

CACHE_MAGIC: Final = b"ffgan images\n\x1a\r\0"
CACHE_VERSION: Final = 2
CACHE_HEADER: Final = struct.Struct("<16sIIQ64s8sQ")
CACHE_HEADER_BYTES: Final = 4096
"""One page, so that other programs can map the images behind it."""

_UNSEEN, _GOOD, _SMALL, _BROKEN = range(4)

# These say something about the machine at this moment, nothing about the file.
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Dataset:
    """The images below `directory`, each as (size, size, 3) uint8 RGB.

    `directory` may also be a file that `pack` made of a folder, which then is not needed. The
    folder is walked once, here: symbolic links are followed, each folder is entered once,
    hidden files and folders are left out. An image that is not square is cut to its middle
    (`fit="crop"`) or squeezed (`"stretch"`). With `cache` the decoded images are kept in that
    file, which the first `batches` writes. Broken files get a line each in `skipped_log`.
    `workers` threads decode. `waited` is how many seconds consumers spent waiting for a batch.

    Raises DatasetError when the folder is missing, is another file, cannot be read or holds no
    image, or when `cache` exists and is not this dataset's; UsageError for arguments out of range.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        size: int = IMAGE_SIZE,
        fit: Fit = "crop",
        cache: str | Path | None = None,
        skipped_log: str | Path | None = None,
        workers: int = 2,
    ) -> None:
        if fit not in FITS:
            raise UsageError(f'fit {fit!r}: give "crop" or "stretch"')
        if size < 1 or workers < 1:
            raise UsageError(f"size {size} and workers {workers} must be at least 1")
        self.directory = Path(os.path.abspath(directory))
        self.size = size
        self.fit = fit
        self.workers = workers
        self.cache = None if cache is None else Path(os.path.abspath(cache))
        self.skipped_log = None if skipped_log is None else Path(skipped_log)

        packed = _is_packed(self.directory)
        if packed and self.cache is not None:
            raise UsageError(f"{self.directory} is packed already: leave the cache out")
        tree = self._unpack() if packed else _walk(self.directory)
        self._packed = packed
        self.names: Sequence[bytes] = tree.names
        self._tree = tree
        self.paths: Sequence[Path] = _Paths(os.fsencode(self.directory), tree.names)
        self.hash = tree.hash

        self._lock = threading.Lock()
        self._state = np.zeros(len(self), np.uint8)
        self._orders: dict[tuple[int, int], NDArray[np.uint32]] = {}
        self._logged: set[str] | None = None
        self._log_failure = ""
        self._cached: int | None = None
        self._streams: weakref.WeakSet[Batches] = weakref.WeakSet()
        self.waited = 0.0
        for name, reason in tree.unreadable:
            self._report(name, reason)
        if packed or (self.cache is not None and self.cache.exists()):
            self._open_cache()
        self._probed, self._probed_small = (0, 0) if self._cached is not None else self._probe()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def small(self) -> int:
        """Images, of those seen so far, with a side of fewer than `size` pixels."""
        return int(np.count_nonzero(self._state == _SMALL))

    @property
    def skipped(self) -> int:
        """Broken files found so far."""
        return int(np.count_nonzero(self._state == _BROKEN))

    @property
    def unreadable(self) -> Sequence[tuple[bytes, str]]:
        """Files and folders below the directory that cannot be read, with the reason."""
        return self._tree.unreadable

    @property
    def found(self) -> str:
        """Lines of text: images found, files left out."""
        tree = self._tree
        lines = [f"{len(self):,} images in {printable(os.fsencode(self.directory))}"]
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

    @property
    def summary(self) -> str:
        """Lines of text: images found, files left out, broken and small ones so far."""
        lines = [self.found]
        if self.skipped:
            where = "" if self.skipped_log is None else f", see {self.skipped_log}"
            lines.append(f"{self.skipped:,} broken files skipped{where}")
        seen = int(np.count_nonzero(self._state != _UNSEEN))
        small = self.small
        if seen < self._probed:
            seen, small = self._probed, self._probed_small
        if small:
            whole = f"all {seen:,} images" if seen == len(self) else f"{seen:,} images looked at"
            lines.append(
                f"warning: {small:,} of {whole} are under {self.size} pixels and are enlarged"
            )
        if self._log_failure:
            lines.append(f"warning: {self._log_failure}")
        return "\n".join(lines)

    def image(self, index: int) -> RGB:
        """Image `index` of `paths`, (size, size, 3) uint8 RGB; raises DatasetError if broken."""
        try:
            return self._load(range(len(self))[index])
        except DatasetError as error:
            raise DatasetError(f"{printable(os.fsencode(self.paths[index]))}: {error}") from error

    def batches(self, batch: int, *, seed: int, start: int = 0, flip: bool = False) -> Batches:
        """Endless batches (batch, size, size, 3) uint8 RGB, from number `start` on.

        Batch k is a function of seed, files and k alone: epoch e comes in the order of
        default_rng((seed, e)).permutation(n), a batch goes on from one epoch into the next, and
        `flip` mirrors each image with probability 1/2, drawn from default_rng((seed, k, 1)).
        In place of a broken image comes the next good one of the order, which then comes twice.

        Raises UsageError here and Error from the iterator, also when no image can be decoded.
        """
        if batch < 1 or start < 0 or seed < 0:
            raise UsageError(
                f"batch {batch} must be at least 1, start {start} and seed {seed} at least 0"
            )
        if self.cache is not None and self._cached is None:
            self.build_cache()

        def make(number: int, stop: threading.Event) -> RGB:
            return self._batch(batch, seed, number, flip, stop)

        def add_waited(seconds: float) -> None:
            self.waited += seconds

        stream = Batches(make, start, self.workers, add_waited)
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Stops all iterators of `batches` and their threads."""
        for stream in list(self._streams):
            stream.close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- One image, one batch ---

    def _batch(self, batch: int, seed: int, number: int, flip: bool, stop: threading.Event) -> RGB:
        made = np.empty((batch, self.size, self.size, 3), np.uint8)
        mirrored = np.zeros(batch, bool)
        if flip:
            mirrored = np.random.default_rng((seed, number, 1)).random(batch) < 0.5
        for slot in range(batch):
            if stop.is_set():
                raise CancelledError
            image = self._good_from(number * batch + slot, seed)
            made[slot] = image[:, ::-1] if mirrored[slot] else image
        return made

    def _good_from(self, position: int, seed: int) -> RGB:
        # Two epochs from anywhere hold each file at least once.
        for place in range(position, position + 2 * len(self)):
            epoch, offset = divmod(place, len(self))
            index = int(self._order(seed, epoch)[offset])
            if self._state[index] == _BROKEN:
                continue
            try:
                return self._load(index)
            except DatasetError as error:
                self._skip(index, str(error))
        log = "" if self.skipped_log is None else f"; {self.skipped_log} says why"
        raise DatasetError(f"none of the images in {self.directory} can be decoded{log}")

    def _order(self, seed: int, epoch: int) -> NDArray[np.uint32]:
        with self._lock:
            order = self._orders.get((seed, epoch))
            if order is None:
                permutation = np.random.default_rng((seed, epoch)).permutation(len(self))
                order = permutation.astype(np.uint32)
                # Batches that are decoded ahead may lie in the next epoch already.
                while len(self._orders) >= 3:
                    del self._orders[next(iter(self._orders))]
                self._orders[seed, epoch] = order
            return order

    def _load(self, index: int) -> RGB:
        if self._cached is not None and self._state[index] != _BROKEN:
            return self._read_cached(self._cached, index)
        image = images.decode(self.read(index), at_least=self.size)
        self._state[index] = _SMALL if min(image.shape[:2]) < self.size else _GOOD
        return fit_square(image, self.size, self.fit)

    def read(self, index: int, limit: int | None = None) -> bytes:
        """The bytes of file `index`, or the first `limit`; raises DatasetError with the reason."""
        if self._packed:
            raise DatasetError("was broken when it was packed")
        try:
            with open(os.path.join(os.fsencode(self.directory), self.names[index]), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if limit is None and size > MAX_FILE_BYTES:
                    raise DatasetError(f"{size} bytes are more than the limit of {MAX_FILE_BYTES}")
                return file.read(limit or -1)
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                raise Error(f"cannot open training images: {error.strerror}") from error
            if not self.directory.is_dir():
                raise Error(f"the folder {self.directory} is gone") from error
            raise DatasetError(error.strerror or str(error)) from error

    def _probe(self) -> tuple[int, int]:
        """Looks at the headers of a few files spread over all: how many, and how many are small."""
        indices = np.unique(np.linspace(0, len(self) - 1, PROBED_FILES).astype(int))
        looked_at = small = 0
        for index in indices:
            # What cannot be read is reported when its turn to be decoded comes.
            with contextlib.suppress(DatasetError):
                sides = images.dimensions(self.read(int(index), PROBED_BYTES))
                looked_at += 1
                small += min(sides) < self.size
        return looked_at, small

    # --- Broken files ---

    def _skip(self, index: int, reason: str) -> None:
        with self._lock:
            if self._state[index] == _BROKEN:
                return
            self._state[index] = _BROKEN
            self._report(self.names[index], reason)

    def _report(self, name: bytes, reason: str) -> None:
        if self.skipped_log is None:
            return
        shown = printable(name)
        try:
            if self._logged is None:
                self._logged = set()
                # A resumed run meets the files again that the log already has.
                with contextlib.suppress(FileNotFoundError):
                    lines = self.skipped_log.read_text("utf-8", "replace").splitlines()
                    self._logged.update(line.partition("\t")[0] for line in lines)
            if shown not in self._logged:
                self._logged.add(shown)
                with self.skipped_log.open("a", encoding="utf-8") as log:
                    log.write(f"{shown}\t{printable(reason.encode())}\n")
        except OSError as error:
            self._log_failure = f"{self.skipped_log} is not complete: {error.strerror}"

    # --- The cache file ---

    def _cache_header(self) -> bytes:
        header = CACHE_HEADER.pack(
            CACHE_MAGIC,
            CACHE_VERSION,
            self.size,
            len(self),
            self.hash.encode(),
            self.fit.encode(),
            self._name_bytes,
        )
        return header.ljust(CACHE_HEADER_BYTES, b"\0")

    @cached_property
    def _name_bytes(self) -> int:
        return sum(len(name) + 1 for name in self.names)

    @property
    def cache_bytes(self) -> int:
        """The length of this dataset's cache file."""
        pixels = self.size * self.size * 3
        return CACHE_HEADER_BYTES + len(self) * (pixels + 1) + self._name_bytes

    def _unpack(self) -> _Tree:
        """What a packed file says about itself; `_open_cache` does the rest."""
        path = self.directory
        try:
            with path.open("rb") as file:
                header = file.read(CACHE_HEADER_BYTES)
                length = os.fstat(file.fileno()).st_size
                _, version, size, count, digest, fit, name_bytes = CACHE_HEADER.unpack_from(
                    header.ljust(CACHE_HEADER.size, b"\0")
                )
                if version != CACHE_VERSION:
                    raise DatasetError(f"{path} is of another version: pack the folder again")
                expected = CACHE_HEADER_BYTES + count * (size * size * 3 + 1) + name_bytes
                if length != expected or not count:
                    raise DatasetError(
                        f"{path} has {length} bytes instead of {expected}: pack the folder again"
                    )
                fit = fit.rstrip(b"\0").decode("ascii", "replace")
                if (size, fit) != (self.size, self.fit):
                    raise DatasetError(
                        f"{path} holds images of {size} pixels made with fit {fit}, not of "
                        f"{self.size} with {self.fit}: pack the folder again"
                    )
                file.seek(-name_bytes, os.SEEK_END)
                names = file.read(name_bytes).split(b"\0")[:-1]
        except OSError as error:
            raise DatasetError(f"cannot read {path}: {error.strerror}") from error
        if len(names) != count:
            raise DatasetError(f"{path} is damaged: pack the folder again")
        self.cache = path
        return _Tree(_Names(names), digest.decode("ascii", "replace"))

    def build_cache(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Writes the cache file unless it is there; `progress` is told images done and in all.

        All images are decoded once, in order. The file appears whole or not at all. Raises Error
        when it cannot be written, DatasetError when it is there and not this dataset's.
        """
        if self.cache is None:
            raise UsageError("the dataset was made without a cache file")
        if not self.cache.exists():
            way_out = "name a file on another disk, or train without a cache"
            try:
                free = shutil.disk_usage(self.cache.parent).free
                if free < self.cache_bytes:
                    raise OSError(errno.ENOSPC, f"{free / 1e9:.1f} GB are free")
                self._write_cache(self.cache, progress)
            except BlockingIOError as error:
                raise Error(
                    f"another process is writing the cache {self.cache}: wait for it"
                ) from error
            except OSError as error:
                raise Error(
                    f"cannot write the cache {self.cache}, which needs {self.cache_bytes / 1e9:.1f}"
                    f" GB: {storage.reason(error)}; {way_out}"
                ) from error
        self._open_cache()

    def _write_cache(self, cache: Path, progress: Callable[[int, int], None] | None) -> None:
        with storage.atomic_file(cache, single_writer=True) as file:
            file.write(self._cache_header())
            done = 0
            for chunk in self._decode_all():
                file.write(chunk.tobytes())
                done += len(chunk)
                if progress is not None:
                    progress(done, len(self))
            file.write(self._state.tobytes())
            file.write(b"".join(name + b"\0" for name in self.names))

    def _decode_all(self, chunk: int = 64) -> Iterator[RGB]:
        stop = threading.Event()

        def decode(first: int) -> RGB:
            made = np.zeros((min(chunk, len(self) - first), self.size, self.size, 3), np.uint8)
            for slot in range(len(made)):
                if stop.is_set():
                    raise CancelledError
                try:
                    made[slot] = self._load(first + slot)
                except DatasetError as error:
                    self._skip(first + slot, str(error))
            return made

        with ThreadPoolExecutor(self.workers, "ffgan-decode") as pool:
            try:
                yield from _ahead(pool, decode, range(0, len(self), chunk), self.workers + 1)
            finally:
                stop.set()

    def _open_cache(self) -> None:
        cache = self.cache
        assert cache is not None
        try:
            with cache.open("rb") as file:
                header = file.read(CACHE_HEADER_BYTES)
                length = os.fstat(file.fileno()).st_size
                if not header.startswith(CACHE_MAGIC):
                    raise DatasetError(
                        f"{cache} is not an ffgan image cache: name another file for the cache"
                    )
                if header != self._cache_header():
                    raise DatasetError(
                        f"the cache {cache} was made of other images or with another size or fit, "
                        "or by another version: delete it to have it made anew, or name another "
                        "file"
                    )
                if length != self.cache_bytes:
                    raise DatasetError(
                        f"the cache {cache} has {length} bytes instead of {self.cache_bytes}: "
                        "delete it to have it made anew"
                    )
                file.seek(-len(self) - self._name_bytes, os.SEEK_END)
                state = np.frombuffer(file.read(len(self)), np.uint8)
            descriptor = os.open(cache, os.O_RDONLY)
        except OSError as error:
            raise DatasetError(
                f"cannot read the cache {cache}: {error.strerror}; name another file"
            ) from error
        for index in np.flatnonzero(state == _BROKEN):
            self._skip(int(index), "was broken when the cache was made")
        self._state[:] = state
        self._cached = descriptor
        weakref.finalize(self, os.close, descriptor)

    def _read_cached(self, descriptor: int, index: int) -> RGB:
        # Not mapped: a mapping fills the process with pages, and dies of SIGBUS when the file is
        # cut off under it or the disk fails.
        image = np.empty((self.size, self.size, 3), np.uint8)
        try:
            done = os.preadv(descriptor, [image.data], CACHE_HEADER_BYTES + index * image.nbytes)
        except OSError as error:
            raise Error(f"cannot read the cache {self.cache}: {error.strerror}") from error
        if done != image.nbytes:
            raise Error(f"the cache {self.cache} was cut off while in use: delete it, start again")
        return image


class Batches(Iterator[RGB]):
    """An endless iterator that makes the next few batches in threads; `close` stops them."""

    def __init__(
        self,
        make: Callable[[int, threading.Event], RGB],
        start: int,
        workers: int,
        add_waited: Callable[[float], None],
    ) -> None:
        self._add_waited = add_waited
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(workers, "ffgan-decode")
        self._make = make
        self._next = start
        self._ahead: deque[Future[RGB]] = deque()
        for _ in range(workers + 1):
            self._submit()

    def _submit(self) -> None:
        self._ahead.append(self._pool.submit(self._make, self._next, self._stop))
        self._next += 1

    def __next__(self) -> RGB:
        if self._stop.is_set():
            raise Error("the batches are closed: call Dataset.batches again")
        began = time.perf_counter()
        try:
            batch = self._ahead[0].result()
        except CancelledError as error:
            raise Error("the batches were closed while one was waited for") from error
        except Exception:
            self.close()
            raise
        finally:
            self._add_waited(time.perf_counter() - began)
        self._ahead.popleft()
        self._submit()
        return batch

    def close(self) -> None:
        """Returns once the image that each thread is at is done."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._stop.set()
            self._pool.shutdown(wait=False, cancel_futures=True)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[int], RGB], items: Iterable[int], count: int
) -> Iterator[RGB]:
    """The results of `work` in the order of `items`, with at most `count` of them in the making."""
    pending: deque[Future[RGB]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= count:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def overlap(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether the two folders are the same, or one of them lies in the other."""
    a, b = Path(one).resolve(), Path(other).resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)


def pack(
    directory: str | Path,
    file: str | Path,
    *,
    fit: Fit = "crop",
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Decode the images below `directory` once into `file`, and return the dataset.

    It is the cache file of `Dataset`, which can do without the folder. A file that is there is kept
    if it is what would be written. `progress` is told images done and in all. Raises as `Dataset`
    and its `build_cache` do.
    """
    if _is_packed(Path(directory)):
        raise DatasetError(f"{directory} is packed already")
    dataset = Dataset(directory, fit=fit, cache=file, workers=workers)
    dataset.build_cache(progress)
    return dataset


def _is_packed(path: Path) -> bool:
    # What cannot be read is reported by what reads it next.
    with contextlib.suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(len(CACHE_MAGIC)) == CACHE_MAGIC
    return False


def printable(name: bytes) -> str:
    """A file name as one line of text: bytes that are not UTF-8 and control characters escaped."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


# --- The folder ----------------------------------------------------------------------------------


class _Names(Sequence[bytes]):
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


class _Paths(Sequence[Path]):
    def __init__(self, root: bytes, names: _Names) -> None:
        self._root = root
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return Path(os.fsdecode(os.path.join(self._root, self.names[index])))


@dataclass
class _Tree:
    names: _Names = field(default_factory=lambda: _Names(()))
    hash: str = ""
    others: int = 0
    hidden: int = 0
    repeated: int = 0
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)


def _walk(directory: Path) -> _Tree:
    shown = printable(os.fsencode(directory))
    if directory.is_file():
        folder = printable(os.fsencode(directory.parent))
        raise DatasetError(f"{shown} is a file: give its folder, {folder}")
    if not directory.exists():
        raise DatasetError(f"no such folder: {shown}")
    if not directory.is_dir():
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
                raise DatasetError(f"cannot read the folder {shown}: {error.strerror}") from error
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
    tree.names = _Names(names[index] for index in order)
    tree.unreadable.sort()
    return tree


def _why_no_file(entry: os.DirEntry[bytes]) -> str:
    return "the link leads nowhere" if entry.is_symlink() else "not a regular file"
