# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a face: values, ranges and sets of them, from Python, text and URLs alike.

Examples:
    >>> wanted = Constraints.of({"age": 60, "yaw": (-20, 20), "gender": "male"})
    >>> wanted.text()
    {'age': '60', 'gender': 'male', 'yaw': '-20..20'}
    >>> Constraints.of(wanted.text()) == wanted
    True
    >>> Constraints.of({"age": "60..40"})
    Traceback (most recent call last):
        ...
    ffgan.errors.UsageError: age 60..40: the range ends below its start: give 40..60
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, NamedTuple, cast

import numpy as np

from ffgan.attributes.definitions import Attribute, named
from ffgan.errors import UsageError

MAX_OPTIONS: Final = 100
MAX_VALUE: Final = 1e6

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE: Final = re.compile(rf"({_NUMBER})?\s*\.\.\s*({_NUMBER})?")
_ONE: Final = re.compile(_NUMBER)
_DASHED: Final = re.compile(rf"({_NUMBER})\s*(?:-|\u2013|:|to)\s*({_NUMBER})")
_PERCENT: Final = re.compile(rf"({_NUMBER})\s*%")

_MARGIN: Final = 0.25
"""How far from another choice's bounds a face of one choice is aimed at, in widths of it."""

_SURE: Final = 0.8
"""The same for a probability, of which a network is mostly sure."""


class Option(NamedTuple):
    """From ``low`` to ``high`` in the unit of the attribute's column, and how it is written.

    A single value has ``low`` = ``high``; open ends are infinite.
    """

    low: float
    high: float
    text: str


class Target(NamedTuple):
    """Where a measured number has to come to lie, from ``low`` to ``high``, best at ``aim``.

    Open ends are infinite.
    """

    low: float
    high: float
    aim: float


@dataclass(frozen=True)
class Constraint:
    """What is asked of one attribute: one of ``options``, or to change by ``change`` from what it
    is."""

    attribute: Attribute
    options: tuple[Option, ...] = ()
    change: float | None = None

    @property
    def text(self) -> str:
        """As the command line and URLs take it."""
        if self.change is not None:
            return f"{self.change:+g}"
        return ",".join(option.text for option in self.options)

    def target(self, seed: int, free: float, limits: tuple[float, float]) -> Target:
        """Return what the face of ``seed`` has to reach.

        ``free`` is the attribute of its face without constraints, ``limits`` what the model can
        do; a change may lead beyond them. The seed picks one of several options. Inside a range a
        face stays as it is; else the seed draws a value from it, so that a range does not fill up
        at its ends.
        """
        one, tolerance = self.attribute, self.attribute.tolerance
        if self.change is not None:
            aim = free + self.change
            return Target(aim - tolerance, aim + tolerance, aim)
        # By the name, so that what another attribute is asked to be changes nothing here.
        draws = np.random.default_rng([seed, *one.name.encode()]).random(2)
        option = self.options[int(draws[0] * len(self.options))]
        if option.low == option.high:
            return Target(option.low - tolerance, option.high + tolerance, option.low)
        # Values are drawn from what the model can do; a face that lies beyond it already stays.
        low, high = max(option.low, limits[0]), min(option.high, limits[1])
        margin = _SURE if (one.low, one.high) == (0, 1) else _MARGIN
        inner = margin * (high - low) if one.kind == "choice" else 0.0
        begin = low + inner if math.isfinite(option.low) else low
        end = high - inner if math.isfinite(option.high) else high
        above = begin <= free or option.low == -math.inf
        below = free <= end or option.high == math.inf
        inside = above and below and math.isfinite(free)
        aim = free if inside else begin + float(draws[1]) * (end - begin)
        return Target(option.low, option.high, aim)

    def check(self, limits: tuple[float, float], unit: str = "") -> None:
        """Raise `UsageError` where a value, or the end of a range, is beyond ``limits``."""
        low, high = limits
        decimals = self.attribute.decimals
        can = f"{_rounded(low, decimals)} to {_rounded(high, decimals)}{unit and ' ' + unit}"
        for option in self.options:
            ends = [end for end in (option.low, option.high) if math.isfinite(end)]
            empty = option.low > high or option.high < low
            beyond = any(not low <= end <= high for end in ends)
            if empty or (beyond and self.attribute.kind == "number"):
                raise UsageError(
                    f"{self.attribute.name} {option.text} is beyond what this model can do: "
                    f"give {can}"
                )


def _rounded(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-0", "0") if value == 0 else f"{value:.{decimals}f}"


@dataclass(frozen=True)
class Constraints:
    """All that is asked of a face, in the order of `ffgan.attributes.ATTRIBUTES`; hashable."""

    each: tuple[Constraint, ...] = ()

    @classmethod
    def of(
        cls, values: Mapping[str, object] | None = None, changes: Mapping[str, object] | None = None
    ) -> Constraints:
        """Check and collect what is asked.

        A value of ``values`` is a number, a pair ``(low, high)``, a list or a set of those (the
        seed picks one), a choice's word, or text of the same: ``60``, ``-20..20``, ``60..``,
        ``20..30,55..65``, ``female,male``. ``changes`` are numbers: by how much an attribute is to
        differ from the same seed's face without constraints. Raises `UsageError` for an unknown
        attribute, a word or value that is none of its own, an empty range, and for two that ask
        about the same measurement.
        """
        values, changes = values or {}, changes or {}
        if not isinstance(changes, Mapping):
            raise UsageError(f"change {changes!r}: give amounts by name, such as {{'age': 10}}")
        given: dict[str, Constraint] = {}
        for attribute in named([*values, *changes]):
            name = attribute.name
            if name in values and name in changes:
                raise UsageError(f"{name}: give a value or a change, not both")
            if attribute.column in given:
                other = given[attribute.column].attribute.name
                raise UsageError(f"{other} and {name} are one measurement: give one of them")
            given[attribute.column] = (
                Constraint(attribute, _options(attribute, values[name]))
                if name in values
                else Constraint(attribute, change=_change(attribute, changes[name]))
            )
        return cls(tuple(given.values()))

    @classmethod
    def parse(cls, values: Iterable[str], changes: Iterable[str] = ()) -> Constraints:
        """Read texts ``NAME=VALUE`` and, for changes, ``NAME=AMOUNT``, as `of` takes them.

        Raises `UsageError`, also for a name that comes twice.
        """
        return cls.of(_pairs(values), _pairs(changes))

    def __bool__(self) -> bool:
        return bool(self.each)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of measurements that have to be known."""
        return tuple(one.attribute.column for one in self.each)

    def text(self) -> dict[str, str]:
        """The values by the attributes' names, as `of` reads them."""
        return {one.attribute.name: one.text for one in self.each if one.change is None}

    def changes_text(self) -> dict[str, str]:
        """The changes by the attributes' names, as `of` reads them."""
        return {one.attribute.name: one.text for one in self.each if one.change is not None}

    def check(self, limits: Mapping[str, tuple[float, float]]) -> None:
        """Raise `UsageError` for what is beyond the ``limits`` of each column."""
        for one in self.each:
            one.check(limits[one.attribute.column], one.attribute.unit)

    def targets(
        self,
        seed: int,
        free: Mapping[str, float],
        limits: Mapping[str, tuple[float, float]],
    ) -> dict[str, Target]:
        """Return the target of each column for the face of ``seed``; see `Constraint.target`."""
        return {
            column: one.target(seed, free[column], limits[column])
            for column, one in zip(self.columns, self.each, strict=True)
        }


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise UsageError(f"{text!r}: give NAME=VALUE, such as age=60, yaw=-20..20, gender=male")
        if name in found:
            raise UsageError(f"{name} is given twice: give one value, or several as {name}=A,B")
        found[name] = value
    return found


def _options(attribute: Attribute, value: object) -> tuple[Option, ...]:
    if isinstance(value, str):
        parts: list[Any] = [part.strip() for part in value.split(",")]
    elif isinstance(value, (list, set, frozenset)):
        parts = list(value)
        if isinstance(value, (set, frozenset)):
            parts.sort(key=str)  # a set of words has another order in each process
    else:
        parts = [value]
    if not 1 <= len(parts) <= MAX_OPTIONS:
        raise UsageError(f"{attribute.name}: give 1 to {MAX_OPTIONS} values, not {len(parts)}")
    return tuple(_option(attribute, part) for part in parts)


def _option(attribute: Attribute, part: object) -> Option:
    name = attribute.name
    if attribute.kind == "choice":
        if not isinstance(part, str):
            raise UsageError(f"{name} {part!r}: give one of {', '.join(attribute.choices)}")
        low, high = attribute.range_of(part)
        return Option(low, high, part)
    if isinstance(part, str):
        if matched := _RANGE.fullmatch(part):
            begin, end = matched.groups()
            if begin is None and end is None:
                raise UsageError(f"{name} {part}: a range has an end, such as 20.. or ..60")
            return _range(attribute, begin or -math.inf, end or math.inf)
        if not _ONE.fullmatch(part):
            raise UsageError(f"{name} {part!r} is not a number: {_instead(attribute, part)}")
    if isinstance(part, tuple):
        if len(part) != 2:
            raise UsageError(f"{name} {part!r}: a range is (low, high)")
        return _range(attribute, *part)
    number = _number(attribute, part)
    return Option(number, number, f"{number:g}")


def _instead(attribute: Attribute, text: str) -> str:
    """What to write for a text that is no number, where other notations tell what was meant."""
    if matched := _DASHED.fullmatch(text):
        return f"a range is {matched[1]}..{matched[2]}"
    if (attribute.low, attribute.high) == (0, 1) and (matched := _PERCENT.fullmatch(text)):
        return f"give {float(matched[1]) / 100:g}"
    return f"give one, or a range such as {attribute.example} ({attribute.help})"


def _range(attribute: Attribute, low: object, high: object) -> Option:
    begin = low if low == -math.inf else _number(attribute, low)
    end = high if high == math.inf else _number(attribute, high)
    assert isinstance(begin, float) and isinstance(end, float)
    text = "..".join(f"{end:g}" if math.isfinite(end) else "" for end in (begin, end))
    if begin > end:
        raise UsageError(
            f"{attribute.name} {text}: the range ends below its start: give {end:g}..{begin:g}"
        )
    return Option(begin, end, text if begin < end else f"{begin:g}")


def _change(attribute: Attribute, value: object) -> float:
    if attribute.kind == "choice":
        raise UsageError(
            f"{attribute.name} cannot be changed by an amount: "
            f"set it to one of {', '.join(attribute.choices)}"
        )
    return _number(attribute, value)


def _number(attribute: Attribute, value: object) -> float:
    number = math.nan
    written = isinstance(value, str) and _ONE.fullmatch(value.strip()) is not None
    if written or (isinstance(value, (Real, np.floating)) and not isinstance(value, bool)):
        number = float(cast(float, value))
    if not abs(number) <= MAX_VALUE:
        raise UsageError(f"{attribute.name} {value!r} is not a number of {attribute.title.lower()}")
    return float(f"{number:g}") + 0.0  # as it is written, so that text and number agree
