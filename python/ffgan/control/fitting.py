# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn what a model's latents do to the attributes of its faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from ffgan.attributes.definitions import ATTRIBUTES, Attribute
from ffgan.attributes.recognition import embeddings
from ffgan.control import regression
from ffgan.control.fitted_map import (
    LEAST_DEVIATION,
    AttributeMap,
    is_probability,
    known_columns,
    logit,
)
from ffgan.control.measuring import measured
from ffgan.control.moves import Mover
from ffgan.control.solver import Measure
from ffgan.errors import UsageError
from ffgan.model import Model
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float32, Float64, ProgressCallback, UInt8

DEFAULT_SAMPLES: Final = 6000
LEAST_SAMPLES: Final = 200
MOST_SAMPLES: Final = 1_000_000

_HELD_OUT: Final = 0.1
_BLOCK: Final = 32
_CURVED: Final = 24
"""How many of the model's directions the quadratic part takes: of those that change faces most."""

_IDENTITY: Final = 20
"""Directions that the embedding is followed along; beyond, they hardly change it."""

_PUSHED: Final = 16
_PUSHES: Final = 5
_FAR: Final = 5.0
_SHARE: Final = 0.4
"""For the ranges: so many faces, moved so often, towards so many standard deviations, of which
this share has to get to the end: a search takes several draws where the first does not."""

_LEAST_KNOWN: Final = 0.5
"""The share of faces on which an attribute has to be measurable."""

_CERTAIN: Final = 0.05
"""Probabilities nearer to 0 or 1 than this count as reaching it."""

Embed: TypeAlias = Callable[[UInt8], Float32]


def fit(
    model: Model,
    *,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    columns: Sequence[str] | None = None,
    measure: Measure = measured,
    embed: Embed = embeddings,
) -> AttributeMap:
    """Measure the faces of ``samples`` latents, drawn by ``seed``, and return the fitted map.

    A tenth of them takes no part in the fit: R squared is of those. What can be asked for is found
    by trying. ``measure`` and ``embed``: other measurements than `ffgan.attributes`' of the
    ``columns`` (all), and dlib's embeddings. The same on every run. Raises `UsageError`, and
    `ExtraError` without the networks.
    """
    if isinstance(samples, bool) or not isinstance(samples, int):
        raise UsageError(f"samples is {samples!r}: give a whole number")
    if not LEAST_SAMPLES <= samples <= MOST_SAMPLES:
        raise UsageError(
            f"samples is {samples}: give a whole number from {LEAST_SAMPLES} to {MOST_SAMPLES}"
        )
    columns = tuple(known_columns() if columns is None else columns)
    workbench = _Workbench(model, measure)
    draws = np.random.default_rng(seed).standard_normal((samples, LATENT_SIZE))
    latents = draws.astype(np.float32).astype(np.float64)
    values, codes = [], []
    for begin in range(0, samples, _BLOCK):
        if progress is not None:
            progress("measuring", begin, samples)
        images = model.render(latents[begin : begin + _BLOCK].astype(np.float32))
        values.append(workbench.measured(images, columns))
        codes.append(embed(images))
    table = np.concatenate(values)
    fitted = _regressed(model, columns, latents, table, np.concatenate(codes))
    kept = [columns.index(column) for column in fitted.columns]
    return _with_limits(fitted, workbench, latents, table[:, kept], progress)


class _Workbench:
    """A model whose faces are measured, many at a time."""

    def __init__(self, model: Model, measure: Measure) -> None:
        self._model, self._measure = model, measure

    def measured(self, images: UInt8, columns: Sequence[str]) -> Float64:
        """The columns (n, k) of images (n, 162, 162, 3)."""
        with ThreadPoolExecutor() as pool:
            tables = list(pool.map(lambda image: self._measure(image, columns), images))
        return np.array([[table[name] for name in columns] for table in tables], np.float64)

    def rendered(self, latents: Float64, column: str) -> Float64:
        """One column (n,) of the faces of latents (n, 100)."""
        return self.measured(self._model.render(latents.astype(np.float32)), [column])[:, 0]


def _regressed(
    model: Model, columns: tuple[str, ...], latents: Float64, values: Float64, codes: Float32
) -> AttributeMap:
    """The map without its ranges, of the columns that most faces have."""
    worked = values.copy()
    for i, column in enumerate(columns):
        if is_probability(column):
            worked[:, i] = logit(worked[:, i])
    known = np.isfinite(worked)
    kept = np.flatnonzero(known.mean(axis=0) >= _LEAST_KNOWN)
    if len(kept) == 0:
        raise UsageError("most of the model's faces cannot be measured: it draws no faces yet")
    columns, worked, known = tuple(columns[i] for i in kept), worked[:, kept], known[:, kept]
    mean = np.nanmean(worked, axis=0)
    deviation = np.maximum(np.nanstd(worked, axis=0), LEAST_DEVIATION)
    standardised = (worked - mean) / deviation
    taken = round((1 - _HELD_OUT) * len(latents))
    directions = np.stack([one.vector for one in model.directions()[:_CURVED]]).astype(np.float64)
    count = len(columns)
    constant, linear = np.zeros(count), np.zeros((count, LATENT_SIZE))
    quadratic = np.zeros((count, len(directions), len(directions)))
    linear_fit = np.zeros(count)
    # Columns that are known of the same faces together, which is most of them.
    for rows in {column.tobytes(): column for column in known.T}.values():
        some = [i for i in range(count) if np.array_equal(known[:, i], rows)]
        seen, unseen = np.flatnonzero(rows[:taken]), taken + np.flatnonzero(rows[taken:])
        outcome = standardised[:, some]
        found = regression.quadratic(latents[seen], outcome[seen], directions)
        constant[some], linear[some], quadratic[some] = found
        base, slopes = regression.linear(latents[seen], outcome[seen])
        guess = base + latents[unseen] @ slopes.T
        linear_fit[some] = regression.r_squared(guess, outcome[unseen])
    _, following = regression.linear(latents[:taken], codes[:taken].astype(np.float64))
    # The part of the embedding's slopes (128, 100) that matters, whatever the embedding's axes.
    _, strengths, axes = np.linalg.svd(following, full_matrices=False)
    nothing = np.zeros(count)
    fitted = AttributeMap(
        model.generator_hash,
        columns,
        mean=mean,
        deviation=deviation,
        constant=constant,
        linear=linear,
        directions=directions,
        quadratic=quadratic,
        identity=strengths[:_IDENTITY, None] * axes[:_IDENTITY],
        low=nothing,
        high=nothing,
        linear_fit=linear_fit,
        fit=nothing,
        samples=len(latents),
    )
    # As it will be read from the file, so that what is measured from here on is of that.
    stored = AttributeMap.decode(fitted.encode(), "the fit")
    guess = stored.predict(latents[taken:])
    shares = [
        float(regression.r_squared(guess[rows, i], standardised[taken:][rows, i]))
        for i, rows in enumerate(known[taken:].T)
    ]
    return replace(stored, fit=np.array(shares))


def _with_limits(
    fitted: AttributeMap,
    workbench: _Workbench,
    latents: Float64,
    values: Float64,
    progress: ProgressCallback | None,
) -> AttributeMap:
    """The map with what can be asked for: as far as some of the faces can be pushed.

    A column that can be moved by little more than its tolerance is left out.
    """
    ends: dict[int, list[float]] = {-1: [], 1: []}
    kept = []
    for i, column in enumerate(fitted.columns):
        if progress is not None:
            progress("trying ranges", i, len(fitted.columns))
        known = np.flatnonzero(np.isfinite(values[:, i]))[: min(_PUSHED, len(values) // 25)]
        for side, share in ((-1, _SHARE), (1, 1 - _SHARE)):
            far = _pushed(fitted, workbench, latents[known], values[known, i], i, side)
            ends[side].append(_inside(column, float(np.quantile(far, share)), side))
        if ends[1][-1] - ends[-1][-1] > 3 * _of_column(column).tolerance or is_probability(column):
            kept.append(i)
    low, high = np.array(ends[-1]), np.array(ends[1])
    return replace(fitted, low=np.minimum(low, high), high=np.maximum(low, high)).only(kept)


def _pushed(
    fitted: AttributeMap,
    workbench: _Workbench,
    latents: Float64,
    values: Float64,
    place: int,
    side: int,
) -> Float64:
    """The farthest value of a column (n,) on the way to one that none of the faces reaches.

    ``values`` (n,): at the start, the latents (n, 100).
    """
    column = fitted.columns[place]

    def standardised(numbers: Float64) -> Float64:
        table = np.full((len(numbers), len(fitted.columns)), np.nan)
        table[:, place] = numbers
        return fitted.standardised(table)[:, [place]]

    aim = np.array([side * _FAR])
    movers = [Mover(fitted, latent, [place], aim) for latent in latents]
    here, measured, farthest = latents, values, values
    for _ in range(_PUSHES):
        before = standardised(measured)
        there = np.stack([one.step(*at) for one, *at in zip(movers, here, before, strict=True)])
        after = workbench.rendered(there, column)
        after = np.where(np.isfinite(after), after, measured)
        for one, *learned in zip(movers, here, there, standardised(after) - before, strict=True):
            one.learn(*learned)
        here, measured = there, after
        farthest = side * np.maximum(side * farthest, side * after)
    return farthest


def _inside(column: str, value: float, side: int) -> float:
    """An end of a range, within the attribute's own and in the decimals that it is shown with."""
    if is_probability(column) and min(value, 1 - value) < _CERTAIN:
        return float(round(value))
    attribute = _of_column(column)
    within = min(max(value, attribute.low), attribute.high)
    scale = 10.0**attribute.decimals
    inward = math.ceil(within * scale) if side < 0 else math.floor(within * scale)
    return inward / scale


def _of_column(column: str) -> Attribute:
    """The first attribute that is measured in a column."""
    return next(one for one in ATTRIBUTES.values() if one.column == column)
