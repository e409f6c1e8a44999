# SPDX-License-Identifier: GPL-3.0-or-later
"""What shares of a set have which attributes: cells with stated bins.

A cell is a bin of each of some attributes, such as 20 to 29 years and female. Picture i of a set is
of the cell that a sequence of low discrepancy has at i, so that every part of the set has the
shares of the whole, and no shard needs to know what others hold.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffgan import storage
from ffgan.attributes import ATTRIBUTES, Attribute
from ffgan.attributes.definitions import named
from ffgan.attributes.summary import AGES
from ffgan.control import Constraints
from ffgan.errors import UsageError
from ffgan.typing import Float64

MOST_CELLS: Final = 10_000
_BINS: Final = 4
"""Bins of an attribute that has no groups."""

_GOLDEN: Final = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Axis:
    """An attribute in bins: the first is all below the first of ``bounds``, and so on."""

    name: str
    bounds: tuple[float, ...]

    @classmethod
    def of(cls, text: str) -> Axis:
        """Read ``age``, or ``age=20/40/60`` with bounds. Raises `UsageError`."""
        name, equals, rest = (part.strip() for part in text.partition("="))
        [attribute] = named([name])
        if attribute.kind == "choice":
            if equals:
                raise UsageError(f"{name} has the bins {', '.join(attribute.choices)}: give {name}")
            return cls(name, attribute.bounds)
        if not equals:
            return cls(name, _usual_bounds(attribute))
        try:
            bounds = tuple(float(part) for part in rest.split("/"))
        except ValueError:
            bounds = ()
        if (
            not bounds
            or not all(map(math.isfinite, bounds))
            or any(low >= high for low, high in itertools.pairwise(bounds))
        ):
            raise UsageError(f"{text!r}: give rising bounds between bins, such as {name}=20/40/60")
        return cls(name, bounds)

    @property
    def attribute(self) -> Attribute:
        return ATTRIBUTES[self.name]

    @property
    def text(self) -> str:
        """As `of` reads it."""
        if self.attribute.kind == "choice":
            return self.name
        return f"{self.name}={'/'.join(f'{bound:g}' for bound in self.bounds)}"

    @property
    def bins(self) -> int:
        return len(self.bounds) + 1

    def bin_of(self, number: float) -> int | None:
        """The bin of a number in the attribute's column; None for what is not known."""
        if not math.isfinite(number):
            return None
        return int(np.searchsorted(self.bounds, number, side="right"))

    def title(self, place: int) -> str:
        """A bin in words."""
        if self.attribute.kind == "choice":
            return self.attribute.choices[place]
        ends = (None, *(f"{bound:g}" for bound in self.bounds), None)
        low, high = ends[place : place + 2]
        if low is None:
            return f"below {high}"
        return f"{low} and more" if high is None else f"{low} to {high}"

    def asked(self, place: int) -> tuple[str, object]:
        """A bin as `ffgan.control.Constraints.of` takes it: a name and a value.

        By the word for it where there is one, which may lie beyond what the model can do in part.
        """
        for one in ATTRIBUTES.values():
            if one.kind == "choice" and (one.column, one.bounds) == self._measure:
                return one.name, one.choices[place]
        ends = (-math.inf, *self.bounds, math.inf)
        return self.name, (ends[place], ends[place + 1])

    @property
    def _measure(self) -> tuple[str, tuple[float, ...]]:
        return self.attribute.column, self.bounds


def _usual_bounds(attribute: Attribute) -> tuple[float, ...]:
    """Those of the choice that goes by the same number, decades, or equal parts of the range."""
    if attribute.name == "age":
        return tuple(float(age) for age in AGES[1:])
    for one in ATTRIBUTES.values():
        if one.of == attribute.name:
            return one.bounds
    step = (attribute.high - attribute.low) / _BINS
    return tuple(round(attribute.low + step * i, 6) for i in range(1, _BINS))


def read_rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """The rows of a table (CSV), and its columns. Raises `UsageError`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            return list(reader), list(reader.fieldnames or ())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {storage.reason(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is not a CSV file: {error}") from error


def counted(
    path: Path, texts: Sequence[str] = ()
) -> tuple[tuple[Axis, ...], Counter[tuple[int, ...]]]:
    """How many rows of a table there are in each cell of some axes, by their bins.

    The table and ``texts`` are those of `Cells.like`. Raises `UsageError`.
    """
    rows, given = read_rows(path)
    columns = set(given)
    for name in given:
        if given.count(name) > 1 and any(
            name in (one.name, one.column) for one in ATTRIBUTES.values()
        ):
            raise UsageError(f"{path} has two columns {name}: leave one out")
    axes = _axes(texts or _columns(columns))
    for axis in axes:
        if not {axis.name, axis.attribute.column} & columns:
            raise UsageError(f"{path} has no column {axis.name}")
    if not axes:
        raise UsageError(f"{path} has no column of an attribute: ffgan attributes writes some")
    counts: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        found = tuple(_bin_in(axis, row, path) for axis in axes)
        known = tuple(place for place in found if place is not None)
        if len(known) == len(axes):
            counts[known] += 1
    if not counts:
        raise UsageError(f"{path} has no row with {', '.join(axis.name for axis in axes)}")
    return axes, counts


@dataclass(frozen=True)
class Cells:
    """The cells of some axes, each with its share of the set; the shares add up to 1.

    ``of``: where the shares come from, for the data card.
    """

    axes: tuple[Axis, ...]
    places: tuple[tuple[int, ...], ...]
    shares: tuple[float, ...]
    of: str

    @classmethod
    def balanced(cls, texts: Sequence[str]) -> Cells:
        """All combinations of bins, alike in number. Raises `UsageError`."""
        axes = _axes(texts)
        count = math.prod(axis.bins for axis in axes)
        if count > MOST_CELLS:
            raise UsageError(f"{count:,} cells are too many: give fewer attributes or bins")
        places = tuple(itertools.product(*(range(axis.bins) for axis in axes)))
        return cls(axes, places, (1 / count,) * count, "balance")

    @classmethod
    def like(cls, path: Path, texts: Sequence[str] = ()) -> Cells:
        """The joint distribution in the table of a CSV file, as `ffgan attributes` writes it.

        ``texts``: its axes; without, all attributes that are columns of it. Rows without one of the
        values do not count. Raises `UsageError`.
        """
        axes, counts = counted(path, texts)
        if len(counts) > MOST_CELLS:
            raise UsageError(f"{path}: {len(counts):,} cells are too many: name fewer attributes")
        places = tuple(sorted(counts))
        total = sum(counts.values())
        return cls(axes, places, tuple(counts[one] / total for one in places), "like")

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes that have to be measured."""
        return tuple(axis.name for axis in self.axes)

    @property
    def text(self) -> list[str]:
        """The axes, as `Axis.of` reads them."""
        return [axis.text for axis in self.axes]

    def cell_of(self, values: Mapping[str, Any]) -> int | None:
        """The cell of a picture with these numbers by column; None where it is of none."""
        place = tuple(axis.bin_of(float(values[axis.attribute.column])) for axis in self.axes)
        return self._numbers.get(place)

    def cell_at(self, index: int) -> int:
        """The cell of picture ``index`` of the set."""
        if len(set(self.shares)) == 1:
            return index % len(self.places)  # exactly alike
        at = ((index + 0.5) * _GOLDEN) % 1.0
        return min(int(np.searchsorted(self._ends, at, side="right")), len(self.places) - 1)

    def title(self, cell: int) -> str:
        """A cell in words, such as "age 20 to 30, gender female"."""
        parts = zip(self.axes, self.places[cell], strict=True)
        return ", ".join(f"{axis.name} {axis.title(place)}" for axis, place in parts)

    def asked(self, cell: int) -> dict[str, object]:
        """What a face of a cell has, as `ffgan.control.Constraints.of` takes it."""
        parts = zip(self.axes, self.places[cell], strict=True)
        return dict(axis.asked(place) for axis, place in parts)

    def constraints(self, cell: int, more: Mapping[str, object]) -> Constraints:
        """What is asked of a face of a cell, and ``more``. Raises `UsageError`."""
        return Constraints.of({**more, **self.asked(cell)})

    @cached_property
    def _numbers(self) -> dict[tuple[int | None, ...], int]:
        return {place: cell for cell, place in enumerate(self.places)}

    @cached_property
    def _ends(self) -> Float64:
        return np.cumsum(self.shares)


def _axes(texts: Sequence[str]) -> tuple[Axis, ...]:
    axes = tuple(Axis.of(text) for text in texts)
    columns = [axis.attribute.column for axis in axes]
    for axis in axes:
        if columns.count(axis.attribute.column) > 1:
            raise UsageError(f"{axis.name}: its measurement is named twice: give one of the two")
    return axes


def _columns(columns: Collection[str]) -> list[str]:
    """The attributes among the columns of a table, one for each measurement."""
    found = {one.column: one.name for one in ATTRIBUTES.values() if one.name in columns}
    return list(found.values())


def _bin_in(axis: Axis, row: Mapping[str, str | None], path: Path) -> int | None:
    """The bin of a row of a table: of the number, or of the word where there is none."""
    one = axis.attribute
    number = row.get(one.column) or ""
    word = row.get(one.name) or ""
    try:
        if number:
            return axis.bin_of(float(number))
        return one.choices.index(word) if word and one.kind == "choice" else None
    except ValueError:
        raise UsageError(f"{path}: {number or word!r} is no value of {one.name}") from None
