# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces of a shard: drawn free, taken or rejected, or steered to what they are to have.

A face depends on the model, the settings and its shard only: not on other shards, nor on how many
threads there are.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np

from ffgan import _core, attributes, control
from ffgan.attributes import Table
from ffgan.dataset.batches import worked_ahead
from ffgan.errors import Error
from ffgan.model import Face, Model
from ffgan.synthesis.labels import Sample, labels_measured
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.wording import counted

T = TypeVar("T")

BLOCK: Final = 32
"""Faces that are measured together."""

STEERED: Final = 64
"""Faces that are steered before those that failed are tried again: a set's bytes follow from it."""

MOST_ATTEMPTS: Final = 50
"""Seeds that are steered for one picture, after which its cell cannot be reached."""

_NAMED: Final = 3
"""Cells that an error names."""


class ShortfallError(Error):
    """A set cannot be filled with what was asked for: the message says with what, and how far."""


@dataclass
class Tally:
    """Faces that were drawn, and why some of them were not taken.

    ``unreached``: by steering. ``unlike``: other than `Settings.where` says. ``surplus``: of a cell
    that was full, or of none.
    """

    draws: int = 0
    unreached: int = 0
    unlike: int = 0
    surplus: int = 0

    def add(self, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    @property
    def rejected(self) -> int:
        return self.unreached + self.unlike + self.surplus

    def counts(self) -> dict[str, int]:
        return asdict(self)


class Drawing:
    """The faces of one shard. ``steered``: the cells whose faces are steered, not awaited."""

    def __init__(
        self, model: Model, settings: Settings, shard: Shard, steered: frozenset[int], tally: Tally
    ) -> None:
        self._model = model
        self._settings = settings
        self._shard = shard
        self._steered = steered
        self._tally = tally

    def samples(self) -> Iterator[Sample]:
        """Yield a sample for each place, in any order. Raises `ShortfallError`."""
        return completed(self._chosen(), self._settings)

    def _chosen(self) -> Iterator[Sample]:
        """Samples of which is measured what decides whether they are taken."""
        settings, shard = self._settings, self._shard
        if not settings.rejects:
            drawn = free_faces(self._model, settings, shard.seed, shard.count)
            for slot, face in enumerate(drawn):
                self._tally.draws += 1
                yield self._sample(slot, face, {})
            return
        cells = settings.cells
        awaited: dict[int | None, deque[int]] = {}
        moved: dict[int, deque[int]] = {}
        for slot in range(shard.count):
            cell = None if cells is None else cells.cell_at(shard.first + slot)
            if cell is not None and cell in self._steered:
                moved.setdefault(cell, deque()).append(slot)
            else:
                awaited.setdefault(cell, deque()).append(slot)
        if moved:
            yield from self._steer(moved)
        seeds = sum(map(len, moved.values())) * self._attempts
        yield from self._await(awaited, shard.seed + seeds)

    @property
    def _attempts(self) -> int:
        return min(MOST_ATTEMPTS, self._settings.max_draws)

    def _sample(self, slot: int, face: Face, values: dict[str, Any]) -> Sample:
        return Sample(slot, face, self._shard.first + slot, 0, values)

    def _await(self, slots: dict[int | None, deque[int]], seed: int) -> Iterator[Sample]:
        """Draw faces until each open place has one."""
        settings = self._settings
        wanted = {cell: len(places) for cell, places in slots.items()}
        left, idle = sum(wanted.values()), 0
        if not left:
            return
        faces = free_faces(self._model, settings, seed, left * settings.max_draws)
        for face, values in measured(faces, settings.decisive):
            self._tally.draws += 1
            if self._is_like(face, values):
                if places := slots.get(self._cell(values)):
                    yield self._sample(places.popleft(), face, values)
                    left, idle = left - 1, 0
                    if not left:
                        return
                    continue
                self._tally.surplus += 1
            idle += 1
            if idle >= settings.max_draws:
                raise self._short(f"{counted(idle, 'draw')} in a row gave no", slots, wanted)

    def _steer(self, slots: dict[int, deque[int]]) -> Iterator[Sample]:
        """Steer faces to the cells of the open places, with another seed where that fails."""
        settings, cells = self._settings, self._settings.cells
        assert cells is not None
        asked = {cell: cells.constraints(cell, settings.wanted.text()) for cell in slots}
        wanted = {cell: len(places) for cell, places in slots.items()}
        waiting = deque(sorted((slot, cell) for cell in slots for slot in slots[cell]))
        attempts = Counter[int]()
        seed = self._shard.seed
        while waiting:
            some = [waiting.popleft() for _ in range(min(STEERED, len(waiting)))]
            faces = control.draw(
                self._model,
                [(seed + i, asked[cell]) for i, (_, cell) in enumerate(some)],
                **_search(settings),
            )
            seed += len(some)
            tried = zip(some, measured(faces, settings.decisive), strict=True)
            for (slot, cell), (face, values) in tried:
                self._tally.draws += 1
                if self._is_like(face, values):
                    if self._cell(values) == cell:
                        slots[cell].remove(slot)
                        yield self._sample(slot, face, values)
                        continue
                    self._tally.unreached += 1
                attempts[slot] += 1
                if attempts[slot] >= self._attempts:
                    raise self._short(
                        f"{counted(attempts[slot], 'face')} could not be steered to",
                        {cell: slots[cell]},
                        wanted,
                    )
                waiting.append((slot, cell))

    def _is_like(self, face: Face, values: Mapping[str, Any]) -> bool:
        """Whether a face has what is asked of all; else it is counted."""
        if isinstance(face, control.ControlledFace) and not face.reached:
            self._tally.unreached += 1
            return False
        where = self._settings.where
        if where is not None and not where.accepts(
            {"score": face.score, "tries": face.tries, **values}
        ):
            self._tally.unlike += 1
            return False
        return True

    def _cell(self, values: Mapping[str, Any]) -> int | None:
        cells = self._settings.cells
        return None if cells is None else cells.cell_of(values)

    def _short(
        self,
        what: str,
        slots: Mapping[int | None, Collection[int]] | Mapping[int, Collection[int]],
        wanted: Mapping[int | None, int] | Mapping[int, int],
    ) -> ShortfallError:
        return ShortfallError(
            f"{self._shard.name}: {what} {_missing(self._settings, slots, wanted)}"
        )


def _missing(settings: Settings, slots: Any, wanted: Any) -> str:
    """Which places are open, and how many of them were filled."""
    cells = settings.cells
    if cells is None:
        (open_slots,), (count,) = slots.values(), wanted.values()
        return (
            f"face as asked ({count - len(open_slots):,} of {count:,} were found): "
            "ask for less, or give a larger --max-draws"
        )
    short = [cell for cell, places in slots.items() if places]
    named = "; ".join(
        f"{cells.title(cell)} ({wanted[cell] - len(slots[cell]):,} of {wanted[cell]:,} were found)"
        for cell in short[:_NAMED]
    )
    more = f"; and {counted(len(short) - _NAMED, 'cell')} more" if len(short) > _NAMED else ""
    steered = "" if settings.drawing == "steered" else "--drawing steered, "
    where = "" if settings.where is None else "another --where, "
    return (
        f"{named}{more}: give {where}{steered}wider bins, fewer attributes or a larger --max-draws"
    )


def free_faces(model: Model, settings: Settings, seed: int, count: int) -> Iterator[Face]:
    """Yield the faces of ``count`` seeds, steered to what is asked of all, if anything is."""
    if settings.wanted:
        return control.faces(model, count, seed, settings.wanted, **_search(settings))
    return model.faces(count, seed, **_search(settings))


def _search(settings: Settings) -> dict[str, Any]:
    return {
        "tries": settings.tries,
        "threshold": settings.threshold,
        "truncation": settings.truncation,
    }


def completed(samples: Iterable[Sample], settings: Settings) -> Iterator[Sample]:
    """Yield samples with all that their labels have; what was not taken need not be measured."""
    names = labels_measured(settings)
    if not names:
        yield from samples
        return
    rest = [name for name in settings.measured if name not in settings.decisive]
    for one, values in _measured(samples, lambda one: one.face, rest):
        known = {**one.values, **values}
        yield replace(one, values={name: known[name] for name in names})


def measured(faces: Iterable[Face], names: Sequence[str]) -> Iterator[tuple[Face, dict[str, Any]]]:
    """Yield each face with the attributes of those names, by column."""
    return _measured(faces, lambda face: face, names)


def _measured(
    items: Iterable[T], face_of: Callable[[T], Face], names: Sequence[str]
) -> Iterator[tuple[T, dict[str, Any]]]:
    """Yield what has a face with its attributes; the next ones come while some are measured."""
    if not names:
        for item in items:
            yield item, {}
        return

    def measure(block: list[T]) -> tuple[list[T], Table]:
        return block, attributes.measure(np.stack([face_of(one).image for one in block]), names)

    left = iter(items)
    blocks = iter(lambda: list(itertools.islice(left, BLOCK)), [])
    # With one core nothing is gained by a second block, and what is ahead at the end is lost.
    count = 1 if _core.engine()["threads"] == 1 else 2
    with ThreadPoolExecutor(1, "measure") as pool:
        for block, table in worked_ahead(pool, measure, blocks, count):
            columns = table.dtype.names or ()
            for item, row in zip(block, table.tolist(), strict=True):
                yield item, dict(zip(columns, row, strict=True))
