# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cells of a set are filled by steering: those that are rare among free faces."""

from __future__ import annotations

from collections import Counter
from typing import Final

from ffgan import control
from ffgan.errors import UsageError
from ffgan.model import Model
from ffgan.synthesis.drawing import free_faces, measured
from ffgan.synthesis.settings import Settings

PILOT: Final = 512
"""Free faces of which the cells are counted, of seeds after those of the set."""

RARE: Final = 8.0
"""Free draws for a picture of the set, beyond which its cell is steered: a steered one takes as
long as some measured free ones."""


def steered_cells(model: Model, settings: Settings) -> frozenset[int]:
    """Return the cells whose faces are steered. Raises `UsageError` for what cannot be, if it must.

    With "auto" some free faces are drawn: the cells that are rare among them are steered, where
    the model can do that.
    """
    cells = settings.cells
    if cells is None or settings.drawing == "free":
        return frozenset()
    every = range(len(cells.places))
    if settings.drawing == "steered":
        for cell in every:
            _check(model, settings, cell)
        return frozenset(every)
    counts = Counter[int]()
    for face, values in measured(
        free_faces(model, settings, settings.last_seed + 1, PILOT), settings.decisive
    ):
        known = {"score": face.score, "tries": face.tries, **values}
        if settings.where is None or settings.where.accepts(known):
            found = cells.cell_of(values)
            if found is not None:
                counts[found] += 1
    rare = [cell for cell in every if cells.shares[cell] * PILOT > RARE * max(counts[cell], 0.5)]
    return frozenset(cell for cell in rare if _can_be_steered(model, settings, cell))


def _check(model: Model, settings: Settings, cell: int) -> None:
    cells = settings.cells
    assert cells is not None
    wanted = cells.constraints(cell, settings.wanted.text())
    try:
        control.check(wanted, control.attribute_map(model))
    except UsageError as error:
        raise UsageError(f"{cells.title(cell)} cannot be steered: {error}") from error


def _can_be_steered(model: Model, settings: Settings, cell: int) -> bool:
    try:
        _check(model, settings, cell)
    except UsageError:
        return False
    return True
