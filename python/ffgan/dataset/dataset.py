# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a folder, an archive or a packed file as training batches in a fixed order.

Nothing is decoded at the start, so 250,000 files are ready in seconds. A broken file is reported
once and replaced in its batch by the next one; it is never fatal.
``docs/dataset.md`` has the rules in full and the measured speed.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np

from ffgan import images, storage
from ffgan.dataset import packed_file
from ffgan.dataset.availability import Availability
from ffgan.dataset.batches import WHOLE, Batch, Batches, Part, Result, worked_ahead
from ffgan.dataset.image_files import GENERATED, ImageFiles, count_of_images
from ffgan.dataset.names import Paths
from ffgan.dataset.order import Order
from ffgan.dataset.packed_file import BROKEN, GOOD, SMALL, UNSEEN, Contents, PackedImages
from ffgan.dataset.skipped_log import SkippedLog
from ffgan.dataset.sources import MAX_FILE_BYTES
from ffgan.errors import DatasetError, Error, UnavailableError, UsageError
from ffgan.images import COLOURS, FITS, Colour, Colours, Fit, fit_square
from ffgan.locations import GivenPlace, locate, printable, shown
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float64
from ffgan.wording import counted

PROBED_FILES: Final = 256
PROBED_BYTES: Final = 1 << 16

FILE_SHARE: Final = 64_000_000
"""Bytes for each worker that files may take; a larger one than all have together comes alone."""

DECODING_SHARE: Final = 256_000_000
"""Likewise what decoding takes, besides."""

_BROKEN_BEFORE = "was broken when it was packed"

EXAMPLES: Final = 5
"""Broken files that `Dataset.broken` names."""


class Dataset:
    """The images below ``directory``, each as (size, size, 3) uint8 RGB.

    ``directory`` may be anything that `ImageFiles` reads, by which it is looked through once, here,
    or a file that `pack` made of it, which then is not needed. An image that is not square is
    cropped to its middle (``fit="crop"``) or resized without its aspect ratio (``"stretch"``). With
    ``cache`` the decoded images are kept in that file, which the first `batches` writes. Broken
    files get a line each in the file ``skipped_log``. ``workers`` threads decode. ``colour``:
    "convert" to sRGB or "ignore" what files say of their colours; None: as a packed file has it,
    else "convert".

    ``broken`` are the names of the first broken files found, with the reasons.

    Pictures of faces that ffgan generated are left out, by what their metadata say, unless
    ``include_generated``. ``as_of`` is the hash of an earlier data set, which is taken up where the
    rules for files have changed since; see `ImageFiles`.

    What the operating system cannot read is waited for by ``availability``, for ``patience``
    seconds (`availability.PATIENCE`); then reading raises UnavailableError, and works again when
    the file is back.

    Raises DatasetError when the folder is missing, is another file or holds no image, or when
    ``cache`` exists and is not this data set's; UnavailableError when it cannot be read;
    UsageError for arguments out of range.
    """

    def __init__(
        self,
        directory: GivenPlace,
        *,
        size: int = IMAGE_SIZE,
        fit: Fit = "crop",
        colour: Colour | None = None,
        cache: str | Path | None = None,
        skipped_log: str | Path | None = None,
        workers: int = 2,
        patience: float | None = None,
        include_generated: bool = False,
        as_of: str | None = None,
    ) -> None:
        if fit not in FITS:
            raise UsageError(f'fit {fit!r}: give "crop" or "stretch"')
        if colour not in (None, *COLOURS):
            raise UsageError(f'colour {colour!r}: give "convert" or "ignore"')
        if size < 1 or workers < 1:
            raise UsageError(f"size {size} and workers {workers} must be at least 1")
        self.directory = locate(directory)
        self.size = size
        self.fit = fit
        self.workers = workers
        self.cache = None if cache is None else Path(os.path.abspath(cache))
        self.skipped_log = None if skipped_log is None else Path(skipped_log)
        self.availability = Availability(patience)

        self._files: ImageFiles | None = None  # None: a packed file
        if isinstance(self.directory, Path) and packed_file.is_packed(self.directory):
            if self.cache is not None:
                raise UsageError(f"{self.directory} is packed already: leave the cache out")
            self._contents = packed_file.read_contents(self.directory, size, fit, colour)
            self.cache = self.directory
        else:
            self._files = ImageFiles(
                self.directory, include_generated=include_generated, as_of=as_of
            )
            self._contents = Contents(
                self._files.names, self._files.hash, size, fit, colour or "convert"
            )
        self.names: Sequence[bytes] = self._contents.names
        self.paths: Sequence[Path] = Paths(self._root(), self.names)
        self.hash = self._contents.hash
        self.colour = self._contents.colour

        self.broken: list[tuple[bytes, str]] = []
        self._generated = 0  # of those skipped
        self._lock = threading.Lock()
        self._file_room = images.Room(workers * FILE_SHARE)
        self._room = images.Room(workers * DECODING_SHARE)
        self._state = np.full(len(self), UNSEEN, np.uint8)
        self._other_colours: dict[int, Colours] = {}
        self._log = None if self.skipped_log is None else SkippedLog(self.skipped_log)
        self._cached: PackedImages | None = None
        self._streams: weakref.WeakSet[Batches[Any]] = weakref.WeakSet()
        for name, reason in self.unreadable:
            self._report(name, reason)
        if self.cache is not None and os.path.exists(self.cache):
            self._open_cache(self.cache)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def small(self) -> int:
        """Images, of those seen so far, with a side of fewer than ``size`` pixels."""
        return int(np.count_nonzero(self._state == SMALL))

    @property
    def skipped(self) -> int:
        """Broken files found so far."""
        return int(np.count_nonzero(self._state == BROKEN))

    @property
    def unreadable(self) -> Sequence[tuple[bytes, str]]:
        """Files and folders below the directory that cannot be read, with the reason."""
        return () if self._files is None else self._files.unreadable

    @property
    def left_out(self) -> str:
        """A line about the files of the folder that are no training images, or nothing."""
        return "" if self._files is None else self._files.left_out

    def require_all(self) -> None:
        """Raise UnavailableError where the folder has files that cannot be read."""
        if self._files is not None and self._files.away:
            name, reason = self._files.away[0]
            raise UnavailableError(
                f"cannot read {shown(self.directory, name)}: {reason}; make it readable, or move "
                "it out of the folder"
            )

    @property
    def found(self) -> str:
        """Lines of text: images found, files left out."""
        if self._files is None:
            return count_of_images(len(self), self.directory)
        return self._files.found

    @property
    def size_warning(self) -> str:
        """A line of text where images are smaller than ``size``, else nothing.

        While fewer images were decoded, it is what the headers of `PROBED_FILES` files say.
        """
        seen, small = int(np.count_nonzero(self._state != UNSEEN)), self.small
        if seen < min(PROBED_FILES, len(self)):
            seen, small = self._probed
        if not small:
            return ""
        whole = f"all {seen:,} images" if seen == len(self) else f"{counted(seen, 'image')} checked"
        return f"warning: {small:,} of {whole} are under {self.size} pixels and are enlarged"

    @property
    def summary(self) -> str:
        """Lines of text: images found, files left out, broken and small ones so far."""
        lines = [self.found]
        if self.skipped:
            where = "" if self.skipped_log is None else f", see {self.skipped_log}"
            broken = self.skipped - self._generated
            for count, what in (broken, "broken"), (self._generated, "generated"):
                if count:
                    lines.append(f"{count:,} {what} file{'s' * (count != 1)} skipped{where}")
        lines += self._colour_lines
        if warning := self.size_warning:
            lines.append(warning)
        if self._log is not None and self._log.failure:
            lines.append(f"warning: {self._log.failure}")
        return "\n".join(lines)

    @property
    def _colour_lines(self) -> list[str]:
        """How many images, of those decoded so far, are not in sRGB; nothing of a packed file."""
        counts = Counter(list(self._other_colours.values()))
        notes = images.COLOUR_NOTES.items()
        return [f"{counted(counts[one], 'image')} {what}" for one, what in notes if counts[one]]

    def image(self, index: int) -> RGB:
        """Image ``index``, (size, size, 3) uint8 RGB.

        Raises DatasetError if it is broken, UnavailableError if it cannot be read.
        """
        try:
            return self._load(range(len(self))[index], _never)
        except DatasetError as error:
            raise DatasetError(f"{self.shown(index)}: {error}") from error

    def shown(self, index: int) -> str:
        """The place and name of file ``index`` for messages."""
        if self._files is None:
            return shown(self.directory, self.names[index])
        return self._files.shown(index)

    def _root(self) -> Path:
        root = None if self._files is None else self._files.root
        return root or Path(str(self.directory))

    def read(self, index: int, limit: int | None = None) -> bytes:
        """The bytes of file ``index``, or the first ``limit``; see `ImageFiles.read`.

        Nothing is waited for.
        """
        if self._files is None:
            raise DatasetError(_BROKEN_BEFORE)
        return self._files.read(index, limit)

    def batches(
        self,
        batch: int,
        *,
        seed: int,
        start: int = 0,
        flip: bool = False,
        part: Part = WHOLE,
        weights: Float64 | None = None,
    ) -> Batches[RGB]:
        """Endless batches (batch, size, size, 3) uint8 RGB, from number ``start`` on.

        Batch k is a function of seed, files and k alone: epoch e comes in the order of
        default_rng((seed, e)).permutation(n), a batch may span two epochs, and
        ``flip`` mirrors each image with probability 1/2, drawn from default_rng((seed, k, 1)).
        A broken image is replaced by the next good one of the order, which then comes twice.
        Of each batch only images part[0], part[0] + part[1] ... are read and given.
        With ``weights``, one for each image, those with a larger one come more often; see `Order`.

        Raises UsageError here, and from the iterator Error, also when no image can be decoded.
        After an UnavailableError the iterator goes on with the same batch.
        """
        return self._stream(lambda made: made.images, batch, seed, start, flip, part, weights)

    def indexed_batches(
        self,
        batch: int,
        *,
        seed: int,
        start: int = 0,
        flip: bool = False,
        part: Part = WHOLE,
        weights: Float64 | None = None,
    ) -> Batches[Batch]:
        """The same batches, with the place of each image in the data set."""
        return self._stream(lambda made: made, batch, seed, start, flip, part, weights)

    def _stream(
        self,
        wanted: Callable[[Batch], Result],
        batch: int,
        seed: int,
        start: int,
        flip: bool,
        part: Part,
        weights: Float64 | None,
    ) -> Batches[Result]:
        if batch < 1 or start < 0 or seed < 0:
            raise UsageError(
                f"batch {batch} must be at least 1, start {start} and seed {seed} at least 0"
            )
        if weights is not None and not (
            weights.shape == (len(self),)
            and np.isfinite(weights).all()
            and weights.min() >= 0
            and weights.max() > 0
        ):
            raise UsageError(
                f"weights must be {len(self)} finite numbers, none below 0 and not all 0"
            )
        if self._log is not None:
            with self._lock:
                self._log.write()  # a run has its folder by now
        if self.cache is not None and self._cached is None:
            self.build_cache()

        order = Order(len(self), seed, weights)

        def make(number: int, stop: threading.Event) -> Result:
            return wanted(self._batch(batch, order, number, flip, part, stop))

        stream = Batches(make, start, self.workers, lambda: self.availability.interrupted())
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        """Stop all iterators of `batches` and their threads."""
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

    def _batch(
        self, batch: int, order: Order, number: int, flip: bool, part: Part, stop: threading.Event
    ) -> Batch:
        slots = np.arange(part[0], batch, part[1])
        mirrored = np.zeros(batch, bool)
        if flip:
            mirrored = np.random.default_rng((order.seed, number, 1)).random(batch) < 0.5
        made = Batch(
            np.empty((len(slots), self.size, self.size, 3), np.uint8),
            np.empty(len(slots), np.int64),
            mirrored[slots],
        )
        for place, slot in enumerate(slots):
            if stop.is_set():
                raise CancelledError
            index, image = self._good_from(number * batch + int(slot), order, stop)
            made.indices[place] = index
            made.images[place] = image[:, ::-1] if mirrored[slot] else image
        return made

    def _good_from(self, position: int, order: Order, stop: threading.Event) -> tuple[int, RGB]:
        # Two epochs from anywhere hold each file at least once, where none has a weight.
        for place in range(position, position + 2 * len(self)):
            index = order.index(place)
            if self._state[index] == BROKEN:
                continue
            try:
                return index, self._load(index, stop.is_set)
            except DatasetError as error:
                self._skip(index, str(error))
        raise self._none_is_good()

    def _load(self, index: int, stopped: Callable[[], bool]) -> RGB:
        """The image, as soon as it can be read; ``stopped`` ends the wait."""
        return self.availability.wait_for(lambda: self._load_now(index), stopped)

    def _load_now(self, index: int) -> RGB:
        if self._cached is not None and self._state[index] != BROKEN:
            return self._cached.image(index)
        if self._files is None:
            raise DatasetError(_BROKEN_BEFORE)
        with self._file_room.hold(min(self._files.size(index), MAX_FILE_BYTES)):
            content = self.read(index)
            try:
                return self._decoded(index, images.container(content))
            except DatasetError:
                self._files.check_unchanged(index, len(content))
                raise

    def _decoded(self, index: int, file: images.Container) -> RGB:
        with self._room.hold(images.memory_of(file, at_least=self.size)):
            image, colours = images.decode_picture(file, at_least=self.size, colour=self.colour)
            if colours != "srgb":
                self._other_colours[index] = colours
            self._state[index] = SMALL if min(image.shape[:2]) < self.size else GOOD
            return fit_square(image, self.size, self.fit)

    @cached_property
    def _probed(self) -> tuple[int, int]:
        """Of some files, spread over all: how many have a header, and how many are small."""
        indices = np.unique(np.linspace(0, len(self) - 1, PROBED_FILES).astype(int))
        checked = small = 0
        for index in indices:
            # What cannot be read is reported when it is decoded.
            try:
                sides = images.dimensions(self.read(int(index), PROBED_BYTES))
            except DatasetError:
                continue
            except UnavailableError:
                break  # each of them may take a server's time limit
            checked += 1
            small += min(sides) < self.size
        return checked, small

    # --- Broken files ---

    def _skip(self, index: int, reason: str) -> None:
        with self._lock:
            if self._state[index] == BROKEN:
                return
            self._state[index] = BROKEN
            self._generated += reason == GENERATED
            if len(self.broken) < EXAMPLES:
                self.broken.append((self.names[index], reason))
            self._report(self.names[index], reason)

    def _none_is_good(self) -> DatasetError:
        if self._generated == self.skipped:
            return DatasetError(
                f"all images in {self.directory} are pictures of faces that ffgan generated; "
                "`train` and `pack` take those, too, with --include-generated"
            )
        name, reason = self.broken[0]
        why = f"{printable(name)}: {reason}" if self._log is None else f"{self._log.path} says why"
        return DatasetError(f"none of the images in {self.directory} can be decoded; {why}")

    def _report(self, name: bytes, reason: str) -> None:
        if self._log is not None:
            self._log.add(name, reason)

    # --- The cache file ---

    @property
    def cache_bytes(self) -> int:
        """The length of this data set's cache file."""
        return self._contents.file_bytes

    def build_cache(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Write the cache file unless it exists.

        All images are decoded once, in order; ``progress`` is called with those done and all.
        The file appears whole or not at all. Raises Error when it cannot be written, DatasetError
        when it is there and not this data set's or no image can be decoded, UnavailableError when
        one cannot be read.
        """
        if self.cache is None:
            raise UsageError("the data set was made without a cache file")
        if not os.path.exists(self.cache):
            try:
                self._check_room(self.cache)
                packed_file.write(
                    self.cache, self._contents, self._decode_all(progress), self._state
                )
            except BlockingIOError as error:
                raise Error(
                    f"another process is writing the cache {self.cache}: wait for it"
                ) from error
            except OSError as error:
                raise Error(
                    f"cannot write the cache {self.cache}, which needs "
                    f"{_amount(self.cache_bytes)}: {storage.reason(error)}; "
                    + storage.way_out(error, "name a file on another disk")
                ) from error
        self._open_cache(self.cache)

    def _check_room(self, cache: Path) -> None:
        try:
            usage = shutil.disk_usage(cache.parent)
        except OSError:
            return  # writing will say
        # Some network drives say nothing of their size.
        if usage.total and usage.free < self.cache_bytes:
            raise OSError(errno.ENOSPC, f"{_amount(usage.free)} are free")

    def _decode_all(
        self, progress: Callable[[int, int], None] | None, block: int = 64
    ) -> Iterator[RGB]:
        stop = threading.Event()

        def decode(first: int) -> RGB:
            made = np.zeros((min(block, len(self) - first), self.size, self.size, 3), np.uint8)
            for slot in range(len(made)):
                if stop.is_set():
                    raise CancelledError
                try:
                    made[slot] = self._load(first + slot, stop.is_set)
                except DatasetError as error:
                    self._skip(first + slot, str(error))
            return made

        done = 0
        with ThreadPoolExecutor(self.workers, "ffgan-decode") as pool:
            try:
                starts = range(0, len(self), block)
                for made in worked_ahead(pool, decode, starts, self.workers + 1):
                    yield made
                    done += len(made)
                    if progress is not None:
                        progress(done, len(self))
            finally:
                stop.set()
        if self.skipped == len(self):
            raise self._none_is_good()

    def _open_cache(self, cache: Path) -> None:
        packed = PackedImages(cache, self._contents)
        for index in np.flatnonzero(packed.state == BROKEN):
            self._skip(int(index), "was broken when the cache was made")
        self._state[:] = packed.state
        self._cached = packed


def _amount(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _never() -> bool:
    return False
