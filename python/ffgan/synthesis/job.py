# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of a data set, which engines share out: `Job.make` makes one shard.

It is a function of the model, the settings and the shard: it may run anywhere, in any order, and
again after it was stopped, and leaves the same bytes. It may be pickled.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from ffgan import _core, images
from ffgan.model import Face, Model
from ffgan.synthesis import people as people_of_set
from ffgan.synthesis import records
from ffgan.synthesis.drawing import Drawing, Tally
from ffgan.synthesis.labels import Row, Sample, row
from ffgan.synthesis.people import People
from ffgan.synthesis.records import Record
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import Store
from ffgan.synthesis.writers import ShardWriter, writer
from ffgan.typing import Float32

_UNDER_WAY: Final = 64
"""Pictures that may wait for being encoded."""

_THREADS: Final = 2
"""That encode. More would take the cores from the drawing."""

Tell = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Job:
    """What is the same for all shards. ``people``: of the whole set, if it has some; ``steered``:
    the cells whose faces are steered."""

    model: Model
    settings: Settings
    store: Store
    people: People | None
    steered: frozenset[int]

    def make(self, shard: Shard, tell: Tell | None = None) -> Record:
        """Write a shard, whole or not at all, and its record. ``tell`` hears of each picture.

        Raises `ffgan.synthesis.ShortfallError`, and `Error` where it cannot be written.
        """
        settings = self.settings
        tally = Tally()
        counted = _Counts(settings)
        with (
            writer(settings.format).opened(self.store, settings, shard) as written,
            _encoders() as pool,
        ):
            line = _Line(written, counted, pool, self._encoded, tell)
            for sample in self._samples(shard, tally):
                line.put(sample, shard.first + sample.slot)
            line.finish(shard.count)
        record = Record(
            shard.name,
            shard.count,
            tuple(written.files()),
            tally.counts(),
            counted.histograms.counts,
            dict(counted.cells),
        )
        self.store.write(records.path(shard), record.encode())
        return record

    def _samples(self, shard: Shard, tally: Tally) -> Iterator[Sample]:
        if self.people is not None:
            return people_of_set.samples(self.model, self.settings, shard, self.people, tally)
        return Drawing(self.model, self.settings, shard, self.steered, tally).samples()

    def _encoded(self, face: Face, index: int) -> bytes:
        """A picture as it goes into the set: a file that says whose it is, or its pixels."""
        settings = self.settings
        image = images.resize(face.image, settings.size)
        if not writer(settings.format).encodes:
            return image.tobytes()
        described = {
            "software": "ffgan",
            **self.model.origin,
            "seed": str(face.seed),
            "index": str(index),
        }
        return images.encode(image, settings.encoding, settings.quality, described)


def _encoders() -> Executor:
    """Threads beside those that draw; where there is one core, it does both."""
    one = _core.engine()["threads"] == 1
    return _Now() if one else ThreadPoolExecutor(_THREADS, "pictures")


class _Now(Executor):
    """Does at once what is asked of it."""

    def submit(  # type: ignore[override]
        self, work: Callable[..., bytes], /, *arguments: Any
    ) -> Future[bytes]:
        done = Future[bytes]()
        done.set_result(work(*arguments))
        return done


class _Counts:
    """What a shard's record says of its labels."""

    def __init__(self, settings: Settings) -> None:
        self._of = settings.cells
        self.histograms = records.histograms(settings)
        self.cells: Counter[str] = Counter()

    def add(self, sample: Sample, labels: Row) -> None:
        self.histograms.add(labels)
        if self._of is not None:
            cell = self._of.cell_of(sample.values)
            self.cells["none" if cell is None else str(cell)] += 1


class _Line:
    """Encodes pictures in threads as they come, and writes them in the order of their places."""

    def __init__(
        self,
        written: ShardWriter,
        counts: _Counts,
        pool: Executor,
        encode: Callable[[Face, int], bytes],
        tell: Tell | None,
    ) -> None:
        self._written = written
        self._counts = counts
        self._pool = pool
        self._encode = encode
        self._tell = tell
        self._next = 0
        self._waiting: dict[int, tuple[Future[bytes], Row, Float32]] = {}
        self._under_way: deque[Future[bytes]] = deque()

    def put(self, sample: Sample, index: int) -> None:
        """Take a face, and write what is ready. May wait for earlier ones to be encoded."""
        labels = row(sample, index)
        self._counts.add(sample, labels)
        future = self._pool.submit(self._encode, sample.face, index)
        self._waiting[sample.slot] = future, labels, sample.face.latent
        self._under_way.append(future)
        while len(self._under_way) > _UNDER_WAY:
            self._under_way.popleft().result()
        while (first := self._waiting.get(self._next)) is not None and first[0].done():
            self._write()

    def finish(self, count: int) -> None:
        """Write the rest, of ``count`` in all."""
        while self._next < count:
            self._write()

    def _write(self) -> None:
        future, labels, latent = self._waiting.pop(self._next)
        self._written.add(future.result(), labels, latent)
        self._next += 1
        if self._tell is not None:
            self._tell(self._next)
