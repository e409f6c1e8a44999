# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for a face with what is asked for, one draw at a time.

As in `ffgan.model.candidate_search`, whoever runs it decides when a latent is rendered and together
with what else. The search measures the images that it gets back.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan.attributes.definitions import ATTRIBUTES, Attribute, named
from ffgan.control.constraints import Constraints, Target
from ffgan.control.fitted_map import AttributeMap
from ffgan.control.moves import Mover
from ffgan.errors import UsageError
from ffgan.latent import stream, truncate
from ffgan.model import candidate_search
from ffgan.model.candidate_search import DEFAULT_TRIES, Face, Judged
from ffgan.typing import Float32, Float64, UInt8

Measure: TypeAlias = Callable[[UInt8, Sequence[str]], dict[str, float]]
"""From an image (162, 162, 3) uint8 RGB and columns to the number in each of them."""


class Unscored(NDArray[np.float32]):
    """A latent of which only the image is needed: NaN will do as its score."""


MOST_STEPS: Final = 5
"""Moves from a draw, each followed by a measurement."""

CLOSE: Final = 0.5
"""Tolerances from its aim within which a value needs no further step."""


@dataclass(frozen=True, eq=False)
class ControlledFace(Face):
    """A face with what was asked for, and how it came about.

    ``attributes``: what was measured on it, by column: of what was asked for, or of all. ``asked``:
    where what was asked for had to come to lie. ``reached``: whether all of it does. ``steps``:
    moves from the draw that it began with. ``free``: the seed's face without constraints.
    ``distance``: of dlib's embeddings of the two, where it was to be measured.
    """

    attributes: dict[str, float]
    asked: dict[str, Target]
    reached: bool
    steps: int
    free: Face = field(repr=False)
    distance: float | None = None

    @property
    def missed(self) -> str:
        """What was not reached, in words, such as "age 52.1 instead of 57 to 63"; else empty."""
        return ", ".join(
            _missed(column, self.attributes[column], one)
            for column, one in self.asked.items()
            if not one.low <= self.attributes[column] <= one.high
        )


def _missed(column: str, value: float, target: Target) -> str:
    if math.isnan(target.aim):
        return f"{column} is not known of the seed's own face, so it cannot stay or change"
    asked = f"{target.low:.4g} to {target.high:.4g}"
    if math.isinf(target.high):
        asked = f"{target.low:.4g} or more"
    if math.isinf(target.low):
        asked = f"{target.high:.4g} or less"
    return f"{column} {'unknown' if math.isnan(value) else f'{value:.4g}'} instead of {asked}"


class _Place(NamedTuple):
    """A rendered latent (100,) and what was measured of what is asked for."""

    latent: Float64
    image: UInt8
    score: float
    values: dict[str, float]


class _Found(NamedTuple):
    """The best place of an attempt, and whether it will do."""

    place: _Place
    steps: int
    miss: float
    good: bool


def check(wanted: Constraints, fitted: AttributeMap, hold: Sequence[str] = ()) -> None:
    """Raise `UsageError` for what the map does not know, and for what the model cannot do."""
    held = [one.column for one in _held(hold)]
    for column in (*wanted.columns, *held):
        if column not in fitted.columns:
            names = (_name(one) for one in fitted.columns)
            raise UsageError(
                f"{_name(column)} is not among the attributes fitted for this model: "
                f"give some of {', '.join(names)}"
            )
    for column in held:
        if column in wanted.columns:
            raise UsageError(f"{column} is asked for and to be held: give one of the two")
    wanted.check(fitted.limits)


def search(
    seed: int,
    wanted: Constraints,
    fitted: AttributeMap,
    measure: Measure,
    *,
    tries: int = DEFAULT_TRIES,
    threshold: float = 0.0,
    truncation: float = 1.0,
    hold: Sequence[str] = (),
    measure_all: bool = False,
) -> Generator[Float32, Judged, ControlledFace]:
    """Yield latents (100,) float32 to be rendered and scored until one has what is ``wanted``.

    It begins with the face of ``seed`` that `ffgan.model.candidate_search` finds. Where that cannot
    be brought to what is asked for with a score above ``threshold``, the seed's next draw is taken,
    up to ``tries`` draws together; then the best one is returned, ``reached`` or not. An `Unscored`
    latent may be answered with NaN as its score; one that is taken is then asked for once more.
    ``hold``: attributes to keep at the free face's value within their tolerance, measured like what
    is asked for; all others are kept by what the map predicts. ``measure_all``: measure all
    attributes of the result, not only those. Raises `UsageError`.
    """
    check(wanted, fitted, hold)
    held = _held(hold)
    columns = (*wanted.columns, *(one.column for one in held))
    free = yield from candidate_search.search(
        seed, tries=tries, threshold=threshold, truncation=truncation
    )
    start = _measured(measure, columns, free.latent, (free.image, free.score))
    goal = _Goal(wanted, held, fitted, free.seed, start.values)
    drawn = free.tries
    best = yield from _attempt(start, goal, measure, threshold)
    for draw in itertools.islice(stream(free.seed), free.tries, tries):
        if best.good or not np.isfinite(goal.aims).all():  # what nothing reaches
            break
        drawn += 1
        latent = truncate(draw, truncation)
        judged = yield latent
        if judged[1] > threshold:
            start = _measured(measure, columns, latent, judged)
            found = yield from _attempt(start, goal, measure, threshold)
            if found.good or found.miss < best.miss:
                best = found
    return _result(best, goal, measure if measure_all else None, drawn, free)


def change(
    free: Face,
    wanted: Constraints,
    fitted: AttributeMap,
    measure: Measure,
    *,
    threshold: float = 0.0,
    hold: Sequence[str] = (),
    most_steps: int = MOST_STEPS,
    measure_all: bool = False,
) -> Generator[Float32, Judged, ControlledFace]:
    """Yield latents as `search` does, from a face that is there, and try no other draw.

    So it stays the same person as far as possible, also where not all is ``reached``. There may be
    nothing to yield. ``most_steps``: moves at most. Raises `UsageError`.
    """
    check(wanted, fitted, hold)
    held = _held(hold)
    columns = (*wanted.columns, *(one.column for one in held))
    start = _measured(measure, columns, free.latent, (free.image, free.score))
    goal = _Goal(wanted, held, fitted, free.seed, start.values)
    best = yield from _attempt(start, goal, measure, threshold, most_steps)
    return _result(best, goal, measure if measure_all else None, free.tries, free)


def _result(
    best: _Found, goal: _Goal, measure_all: Measure | None, drawn: int, free: Face
) -> ControlledFace:
    place = best.place
    return ControlledFace(
        place.image,
        free.seed,
        place.latent.astype(np.float32),
        drawn,
        place.score,
        measure_all(place.image, goal.fitted.columns) if measure_all else place.values,
        goal.targets,
        goal.reached(place),
        best.steps,
        free,
    )


class _Goal:
    """Where the columns that are asked for have to come to lie."""

    def __init__(
        self,
        wanted: Constraints,
        held: Sequence[Attribute],
        fitted: AttributeMap,
        seed: int,
        free: Mapping[str, float],
    ) -> None:
        self.fitted = fitted
        self.targets = wanted.targets(seed, free, fitted.limits)
        attributes = [one.attribute for one in wanted.each]
        for one in held:
            value = free[one.column]
            self.targets[one.column] = Target(value - one.tolerance, value + one.tolerance, value)
            attributes.append(one)
        self._tolerances = {one.column: one.tolerance for one in attributes}
        self.columns = tuple(self.targets)
        self.places = [fitted.columns.index(column) for column in self.columns]
        self.aims = self.standardised({name: one.aim for name, one in self.targets.items()})

    def standardised(self, values: Mapping[str, float]) -> Float64:
        """Values by column as the map has them, in the order of ``places``."""
        numbers = np.full(len(self.fitted.columns), np.nan)
        numbers[self.places] = [values[column] for column in self.columns]
        return self.fitted.standardised(numbers)[self.places]

    def miss(self, place: _Place) -> float:
        """How far the worst lies from its aim, in tolerances; infinite if it was not measured."""
        misses = [
            abs(place.values[column] - target.aim) / self._tolerances[column]
            for column, target in self.targets.items()
        ]
        return max((miss if miss == miss else math.inf for miss in misses), default=0.0)

    def rank(self, place: _Place) -> tuple[bool, float]:
        """The larger, the better."""
        return self.reached(place), -self.miss(place)

    def reached(self, place: _Place) -> bool:
        """Whether all that is asked for lies where it has to."""
        return all(
            target.low <= place.values[column] <= target.high
            for column, target in self.targets.items()
        )


def _attempt(
    start: _Place, goal: _Goal, measure: Measure, threshold: float, most_steps: int = MOST_STEPS
) -> Generator[Float32, Judged, _Found]:
    """Move from a draw until the aims are close, and return the best place on the way."""
    mover = Mover(goal.fitted, start.latent, goal.places, goal.aims)
    here, best, steps_to_best = start, start, 0
    for steps in range(1, most_steps + 1):
        miss = goal.miss(here)
        if miss <= CLOSE or miss == math.inf:
            break
        before = goal.standardised(here.values)
        latent = mover.step(here.latent, before)
        judged = yield latent.astype(np.float32).view(Unscored)
        there = _measured(measure, goal.columns, latent, judged)
        mover.learn(here.latent, latent, goal.standardised(there.values) - before)
        here = there
        if goal.rank(here) > goal.rank(best):
            best, steps_to_best = here, steps
    if math.isnan(best.score):
        _, score = yield best.latent.astype(np.float32)
        best = best._replace(score=score)
    good = goal.reached(best) and best.score > threshold
    return _Found(best, steps_to_best, goal.miss(best), good)


def _measured(
    measure: Measure, columns: Sequence[str], latent: Float32 | Float64, judged: Judged
) -> _Place:
    image, score = judged
    values = measure(image, columns) if columns else {}
    return _Place(latent.astype(np.float64), image, score, values)


def _name(column: str) -> str:
    """How the first attribute of a column is asked for."""
    return next(one.name for one in ATTRIBUTES.values() if one.column == column)


def _held(hold: Sequence[str]) -> list[Attribute]:
    return named(hold) if hold else []
