# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a shard: written when its pictures are there, so that a later run need not make it.

It holds the files with their sizes and sums, what was drawn, and how often which labels came.
"""

from __future__ import annotations

import functools
import json
import posixpath
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ffgan.attributes import ATTRIBUTES
from ffgan.attributes.definitions import named
from ffgan.synthesis.labels import Row
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import PRIVATE, Store, Written

FOLDER: Final = f"{PRIVATE}/shards"
_LOOKS: Final = 16
BINS: Final = 20
"""Of a histogram of numbers, over what almost all faces have; beyond are two more."""


@dataclass(frozen=True)
class Record:
    """What became of a shard.

    ``draws``: counts by name, see `ffgan.synthesis.drawing.Tally`. ``histograms``: by attribute the
    number of pictures in each bin, see `Histograms`. ``cells``: the number of pictures by cell.
    """

    shard: str
    pictures: int
    files: tuple[Written, ...]
    draws: Mapping[str, int]
    histograms: Mapping[str, list[int]]
    cells: Mapping[str, int]

    def encode(self) -> bytes:
        return json.dumps(
            {
                "shard": self.shard,
                "pictures": self.pictures,
                "draws": dict(self.draws),
                "histograms": dict(self.histograms),
                "cells": dict(self.cells),
                "files": self.files,
            },
            sort_keys=True,
        ).encode()

    @classmethod
    def decode(cls, content: bytes) -> Record | None:
        """A record from its bytes; None for what is none, whose shard is made again."""
        try:
            found = json.loads(content)
            return cls(
                str(found["shard"]),
                int(found["pictures"]),
                tuple(Written(str(a), int(b), str(c)) for a, b, c in found["files"]),
                {str(name): int(count) for name, count in found["draws"].items()},
                {str(name): list(map(int, some)) for name, some in found["histograms"].items()},
                {str(cell): int(count) for cell, count in found["cells"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def path(shard: Shard) -> str:
    return f"{FOLDER}/{shard.name}.json"


def find(store: Store, shard: Shard) -> Record | None:
    """The record of a shard that is whole; None where it, or a file of it, is not there."""
    content = store.read(path(shard))
    record = None if content is None else Record.decode(content)
    if record is None or record.shard != shard.name or record.pictures != shard.count:
        return None
    return record if store.has(record.files) else None


def found(store: Store, shards: Iterable[Shard]) -> Iterator[tuple[Shard, Record | None]]:
    """Yield each shard with what `find` says, many asked for at a time: a store may be far away."""
    there = set(store.names(FOLDER))
    asked = (functools.partial(_look, store, shard, there) for shard in shards)
    with ThreadPoolExecutor(_LOOKS, "records") as pool:
        under_way: deque[Future[tuple[Shard, Record | None]]] = deque()
        for look in asked:
            under_way.append(pool.submit(look))
            if len(under_way) == 2 * _LOOKS:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _look(store: Store, shard: Shard, there: Container[str]) -> tuple[Shard, Record | None]:
    return shard, find(store, shard) if posixpath.basename(path(shard)) in there else None


class Histograms:
    """How often labels come: a choice by its words, a number in `BINS` from ``low`` to ``high``.

    The last count of each is that of the unknown; before the first bin and after the last one of a
    number are those of what lies beyond.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.counts: dict[str, list[int]] = {}
        for one in named(names):
            bins = len(one.choices) if one.kind == "choice" else BINS + 2
            self.counts[one.name] = [0] * (bins + 1)

    def add(self, row: Row) -> None:
        for name, counts in self.counts.items():
            one, value = ATTRIBUTES[name], row[name]
            if value is None:
                place = len(counts) - 1
            elif one.kind == "choice":
                place = one.choices.index(value)
            else:
                place = int(np.searchsorted(edges(name), value, side="right"))
            counts[place] += 1

    def merge(self, other: Mapping[str, list[int]]) -> None:
        for name, counts in other.items():
            if name in self.counts:
                self.counts[name] = [a + b for a, b in zip(self.counts[name], counts, strict=True)]


def edges(name: str) -> Any:
    """The bounds of the bins of a number, `BINS` + 1 of them."""
    one = ATTRIBUTES[name]
    return np.linspace(one.low, one.high, BINS + 1)


class Summary:
    """What the records of a set say together; it does not grow with their number.

    ``size``: bytes of all files. ``draws``: counts by name. ``cells``: pictures by cell.
    """

    def __init__(self, settings: Settings) -> None:
        self.pictures = 0
        self.files = 0
        self.size = 0
        self.draws: Counter[str] = Counter()
        self.cells: Counter[str] = Counter()
        self.histograms = histograms(settings)
        self._shared: set[str] = set()

    def add(self, record: Record) -> None:
        self.pictures += record.pictures
        self.draws.update(record.draws)
        self.cells.update(record.cells)
        self.histograms.merge(record.histograms)
        for one in record.files:
            if one.sha256 or one.name not in self._shared:
                self.files += 1
                self.size += one.size
            if not one.sha256:  # it has rows of several shards
                self._shared.add(one.name)


def histograms(settings: Settings) -> Histograms:
    """Empty ones, of all attributes that are measured."""
    return Histograms(settings.measured)
