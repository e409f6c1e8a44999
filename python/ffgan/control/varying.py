# SPDX-License-Identifier: GPL-3.0-or-later
"""One attribute of a face from end to end, or two of them against each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ffgan.attributes.definitions import Attribute, named
from ffgan.control.constraints import Constraint, Constraints, Option
from ffgan.control.drawing import attribute_map, moved
from ffgan.control.fitted_map import AttributeMap
from ffgan.control.solver import ControlledFace, check
from ffgan.errors import UsageError
from ffgan.latent import first_seed
from ffgan.model import DEFAULT_TRIES, Face, Model

DEFAULT_STEPS: Final = 7
MOST_STEPS: Final = 100
MOST_AXES: Final = 2


@dataclass(frozen=True)
class Axis:
    """An attribute that is varied, and the values that it takes, as `Constraints` read them."""

    attribute: Attribute
    values: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Strip:
    """A seed's face under each value of one or two axes.

    ``faces``: rows of faces. The first axis goes from left to right, the second, if there is one,
    from top to bottom. All begin at ``free``, the seed's face as it is.
    """

    free: Face
    axes: tuple[Axis, ...]
    faces: tuple[tuple[ControlledFace, ...], ...]


def axes(
    vary: Mapping[str, object], fitted: AttributeMap, steps: int = DEFAULT_STEPS
) -> tuple[Axis, ...]:
    """Return what is varied, one or two attributes.

    A value of ``vary`` is None, for all that the model can do; a range, as `Constraints` takes it,
    of which ``steps`` evenly spaced values are taken; or several values, which are. Of a choice
    all words are taken. Raises `UsageError`.
    """
    if not 1 <= len(vary) <= MOST_AXES:
        raise UsageError(f"one or two attributes are varied at a time, not {len(vary)}")
    if isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= MOST_STEPS:
        raise UsageError(f"steps is {steps!r}: give a whole number from 2 to {MOST_STEPS}")
    return tuple(_axis(name, value, fitted, steps) for name, value in vary.items())


def cells(found: Sequence[Axis], wanted: Constraints | None = None) -> list[list[Constraints]]:
    """Return what is asked of each face, in rows; see `Strip`. ``wanted`` is asked of all.

    Raises `UsageError` where that is about an attribute that is varied.
    """
    wanted = Constraints() if wanted is None else wanted
    for axis in found:
        if axis.attribute.column in wanted.columns:
            raise UsageError(f"{axis.attribute.name} is varied and asked for: give one of the two")
    across, *down = found
    values, changes = wanted.text(), wanted.changes_text()
    rows: list[Mapping[str, str]] = [{}]
    if down:
        rows = [{down[0].attribute.name: value} for value in down[0].values]
    return [
        [
            Constraints.of({**values, **row, across.attribute.name: value}, changes)
            for value in across.values
        ]
        for row in rows
    ]


def strip(
    model: Model,
    free: Face,
    vary: Mapping[str, object],
    wanted: Constraints | None = None,
    *,
    steps: int = DEFAULT_STEPS,
    hold: Sequence[str] = (),
    threshold: float | None = None,
) -> Strip:
    """Return the face ``free`` with one or two attributes from end to end; see `axes`.

    ``wanted``: what is asked of all; ``hold``: attributes that are to stay. A value that this face
    does not reach is shown as near as it gets, and its ``reached`` is false. Raises as
    `ffgan.control.face`.
    """
    fitted = attribute_map(model)
    found = axes(vary, fitted, steps)
    asked = cells(found, wanted)
    for one in (row[end] for row in asked for end in (0, -1)):
        check(one, fitted, hold)
    flat = ((free, one) for row in asked for one in row)
    made = moved(model, flat, hold=hold, threshold=threshold)
    return Strip(free, found, tuple(tuple(next(made) for _ in row) for row in asked))


def strips(
    model: Model,
    n: int,
    seed: int | None,
    vary: Mapping[str, object],
    wanted: Constraints | None = None,
    *,
    steps: int = DEFAULT_STEPS,
    hold: Sequence[str] = (),
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
) -> Iterator[Strip]:
    """Yield the `strip` of n seeds, from ``seed`` on."""
    first = first_seed(n, seed)
    for i in range(n):
        free = model.face(first + i, tries=tries, threshold=threshold, truncation=truncation)
        yield strip(model, free, vary, wanted, steps=steps, hold=hold, threshold=threshold)


def _axis(name: str, value: object, fitted: AttributeMap, steps: int) -> Axis:
    [attribute] = named([name])
    if attribute.column not in fitted.columns:
        check(Constraints((Constraint(attribute),)), fitted)
    limits = fitted.limits[attribute.column]
    if value is None:
        if attribute.kind == "choice":
            return Axis(attribute, _possible(attribute, limits))
        return Axis(attribute, _spaced(attribute, *limits, steps))
    [constraint] = Constraints.of({name: value}).each
    constraint.check(limits, attribute.unit)
    options = constraint.options
    if attribute.kind == "number" and len(options) == 1 and options[0].low < options[0].high:
        low, high = max(options[0].low, limits[0]), min(options[0].high, limits[1])
        return Axis(attribute, _spaced(attribute, low, high, steps))
    if len(options) < 2 or any(_is_range(attribute, one) for one in options):
        raise UsageError(
            f"{name} {constraint.text}: give a range to vary it in, such as "
            f"{limits[0]:g}..{limits[1]:g}, or several values"
        )
    return Axis(attribute, tuple(one.text for one in options))


def _is_range(attribute: Attribute, option: Option) -> bool:
    return attribute.kind == "number" and option.low < option.high


def _possible(attribute: Attribute, limits: tuple[float, float]) -> tuple[str, ...]:
    """The words of a choice that the model can do."""
    found = []
    for word in attribute.choices:
        low, high = attribute.range_of(word)
        if low < limits[1] and high > limits[0]:
            found.append(word)
    return tuple(found)


def _spaced(attribute: Attribute, low: float, high: float, steps: int) -> tuple[str, ...]:
    """Evenly spaced values, rounded where that is little beside a step, and never outwards."""
    decimals = attribute.decimals
    if (high - low) / (steps - 1) < 2 * 10.0**-decimals:
        decimals += 2
    scale = 10.0**decimals
    values = np.round(np.linspace(low, high, steps) * scale)
    values = np.clip(values, math.ceil(low * scale - 1e-6), math.floor(high * scale + 1e-6)) / scale
    return tuple(f"{value + 0.0:.{decimals}f}" for value in values)
