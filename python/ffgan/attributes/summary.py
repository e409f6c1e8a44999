# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of measured faces in figures: what is usual, how far they spread, shares of groups."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ffgan.attributes.definitions import ATTRIBUTES, Attribute
from ffgan.attributes.measurement import Table
from ffgan.typing import Float32
from ffgan.wording import counted

AGES: Final = (0, 13, 20, 30, 40, 50, 60)
"""The ages at which groups begin."""


def summary(table: Table) -> dict[str, Any]:
    """Return the figures of a set of faces, as JSON's types.

    ``faces``: how many; by attribute ``measured`` (on how many faces), and of numbers ``median``,
    ``low`` and ``high`` (5 and 95 of a hundred are below) and ``deviation``, of choices and of age
    ``shares``, by group.
    """
    figures: dict[str, Any] = {"faces": len(table)}
    for name, one in ATTRIBUTES.items():
        if name in (table.dtype.names or ()):
            values = table[name]
            known = values[values != ""] if one.kind == "choice" else values[np.isfinite(values)]
            figures[name] = {"measured": len(known), **_figures(one, known)}
    return figures


def _figures(one: Attribute, known: Any) -> dict[str, Any]:
    if not len(known):
        return {}
    if one.kind == "choice":
        count = len(known)
        return {"shares": {word: float(np.sum(known == word)) / count for word in one.choices}}
    low, median, high = np.percentile(known.astype(np.float64), (5, 50, 95)).tolist()
    figures: dict[str, Any] = {
        "median": median,
        "low": low,
        "high": high,
        "deviation": float(known.std(dtype=np.float64)),
    }
    if one.name == "age":
        figures["shares"] = _age_groups(known)
    return figures


def _age_groups(ages: Float32) -> dict[str, float]:
    shares = {}
    for low, high in itertools.pairwise((*AGES, np.inf)):
        name = f"{low} to {high - 1:g}" if np.isfinite(high) else f"{low} and more"
        shares[name] = float(np.mean((ages >= low) & (ages < high)))
    return shares


def text(sets: Mapping[str, dict[str, Any]]) -> str:
    """Return the summaries of one or more sets, by their titles, side by side in a table."""
    names = [name for name in ATTRIBUTES if any(name in one for one in sets.values())]
    lines = _header(sets)
    for name in names:
        one = ATTRIBUTES[name]
        if one.kind == "number":
            cells = [_number_cells(one, figures.get(name, {})) for figures in sets.values()]
            title = f"{one.title} ({one.unit})" if one.unit else one.title
            lines.append((title, cells))
        groups = [figures.get(name, {}).get("shares", {}) for figures in sets.values()]
        for group in next(filter(None, groups), {}):
            cells = [_share_cells(figures.get(name, {}), group) for figures in sets.values()]
            lines.append((f"  {one.title.lower()} {group}", cells))
    width = max(len(title) for title, _ in lines)
    return "\n".join(f"{title:{width}}  {'   '.join(cells)}".rstrip() for title, cells in lines)


_COLUMNS: Final = 4
_WIDTH: Final = 8


def _header(sets: Mapping[str, dict[str, Any]]) -> list[tuple[str, list[str]]]:
    whole = _COLUMNS * _WIDTH
    titles = [f"{_shortened(title, whole):>{whole}}" for title in sets]
    counts = [counted(figures["faces"], "face").rjust(whole) for figures in sets.values()]
    names = ["".join(f"{name:>{_WIDTH}}" for name in ("median", "5 %", "95 %", "spread"))] * len(
        sets
    )
    return [("", titles), ("", counts), ("", names)]


def _shortened(title: str, width: int) -> str:
    return title if len(title) <= width else "..." + title[3 - width :]


def _number_cells(one: Attribute, figures: dict[str, Any]) -> str:
    if "median" not in figures:
        return f"{'-':>{_WIDTH}}" + " " * (_WIDTH * (_COLUMNS - 1))
    # The spread of a set has a digit more than a single value.
    forms = [one.decimals, one.decimals, one.decimals, one.decimals + 1]
    keys = ("median", "low", "high", "deviation")
    rounded = [round(figures[key], n) + 0.0 for key, n in zip(keys, forms, strict=True)]  # no -0
    return "".join(f"{number:{_WIDTH}.{n}f}" for number, n in zip(rounded, forms, strict=True))


def _share_cells(figures: dict[str, Any], group: str) -> str:
    share = figures.get("shares", {}).get(group)
    cell = "-" if share is None else f"{100 * share:.1f} %"
    return f"{cell:>{_WIDTH}}" + " " * (_WIDTH * (_COLUMNS - 1))
