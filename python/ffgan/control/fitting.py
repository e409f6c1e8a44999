# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn what a model's latents do to the attributes of its faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from ffgan.attributes.definitions import ATTRIBUTES
from ffgan.control import regression
from ffgan.control.fitted_map import AttributeMap, is_probability, known_columns, logit
from ffgan.control.measuring import embeddings, measured
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
_PUSHES: Final = 4
_FAR: Final = 5.0
_SHARE: Final = 0.25
"""For the ranges: so many faces, moved so often, towards so many standard deviations, of which
this share may stay behind."""

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
    workbench = _Workbench(model, columns, measure)
    draws = np.random.default_rng(seed).standard_normal((samples, LATENT_SIZE))
    latents = draws.astype(np.float32).astype(np.float64)
    values, codes = [], []
    for begin in range(0, samples, _BLOCK):
        if progress is not None:
            progress("measuring", begin, samples)
        images = model.render(latents[begin : begin + _BLOCK].astype(np.float32))
        values.append(workbench.measured(images))
        codes.append(embed(images))
    fitted = _regressed(model, columns, latents, np.concatenate(values), np.concatenate(codes))
    return _with_limits(fitted, workbench, latents, np.concatenate(values), progress)


class _Workbench:
    """A model whose faces are measured, many at a time."""

    def __init__(self, model: Model, columns: Sequence[str], measure: Measure) -> None:
        self._model, self._columns, self._measure = model, columns, measure

    def measured(self, images: UInt8) -> Float64:
        """The columns (n, k) of images (n, 162, 162, 3)."""
        with ThreadPoolExecutor() as pool:
            tables = list(pool.map(lambda image: self._measure(image, self._columns), images))
        return np.array([[table[name] for name in self._columns] for table in tables], np.float64)

    def rendered(self, latents: Float64) -> Float64:
        """The columns (n, k) of the faces of latents (n, 100)."""
        return self.measured(self._model.render(latents.astype(np.float32)))


def _regressed(
    model: Model, columns: tuple[str, ...], latents: Float64, values: Float64, codes: Float32
) -> AttributeMap:
    worked = values.copy()
    for i, column in enumerate(columns):
        if is_probability(column):
            worked[:, i] = logit(worked[:, i])
    known = np.flatnonzero(np.isfinite(worked).all(axis=1))
    if 2 * len(known) < len(worked):
        raise UsageError("most of the model's faces cannot be measured: it draws no faces yet")
    mean, deviation = worked[known].mean(axis=0), worked[known].std(axis=0)
    deviation = np.maximum(deviation, 1e-6)
    standardised = (worked[known] - mean) / deviation
    taken = round((1 - _HELD_OUT) * len(standardised))
    fitting, judging = latents[known][:taken], latents[known][taken:]
    outcome, unseen = standardised[:taken], standardised[taken:]
    directions = np.stack([one.vector for one in model.directions()[:_CURVED]]).astype(np.float64)
    found = regression.quadratic(fitting, outcome, directions)
    constant, slopes = regression.linear(fitting, outcome)
    _, following = regression.linear(fitting, codes[known][:taken].astype(np.float64))
    # The part of the embedding's slopes (128, 100) that matters, whatever the embedding's axes.
    _, strengths, axes = np.linalg.svd(following, full_matrices=False)
    nothing = np.zeros(len(columns))
    fitted = AttributeMap(
        model.generator_hash,
        columns,
        mean=mean,
        deviation=deviation,
        constant=found.constant,
        linear=found.linear,
        directions=directions,
        quadratic=found.quadratic,
        identity=strengths[:_IDENTITY, None] * axes[:_IDENTITY],
        low=nothing,
        high=nothing,
        linear_fit=regression.r_squared(constant + judging @ slopes.T, unseen),
        fit=nothing,
        samples=len(latents),
    )
    # As it will be read from the file, so that what is measured from here on is of that.
    stored = AttributeMap.decode(fitted.encode(), "the fit")
    share = regression.r_squared(stored.predict(judging), unseen)
    return replace(stored, fit=share)


def _with_limits(
    fitted: AttributeMap,
    workbench: _Workbench,
    latents: Float64,
    values: Float64,
    progress: ProgressCallback | None,
) -> AttributeMap:
    """The map with what can be asked for: as far as most of some faces can be pushed."""
    known = np.flatnonzero(np.isfinite(values).all(axis=1))[:_PUSHED]
    ends: dict[int, list[float]] = {-1: [], 1: []}
    for i, column in enumerate(fitted.columns):
        if progress is not None:
            progress("trying ranges", i, len(fitted.columns))
        for side, share in ((-1, 1 - _SHARE), (1, _SHARE)):
            far = _pushed(fitted, workbench, latents[known], values[known], i, side)
            ends[side].append(_inside(column, float(np.quantile(far, share)), side))
    low, high = np.array(ends[-1]), np.array(ends[1])
    return replace(fitted, low=np.minimum(low, high), high=np.maximum(low, high))


def _pushed(
    fitted: AttributeMap,
    workbench: _Workbench,
    latents: Float64,
    values: Float64,
    place: int,
    side: int,
) -> Float64:
    """The column's value (n,), the farthest of each face on the way to one that none reaches."""
    aim = np.array([side * _FAR])
    movers = [Mover(fitted, latent, [place], aim) for latent in latents]
    here, measured = latents, values
    farthest = values[:, place]
    for _ in range(_PUSHES):
        before = fitted.standardised(measured)[:, [place]]
        there = np.stack([one.step(*at) for one, *at in zip(movers, here, before, strict=True)])
        after = workbench.rendered(there)
        after = np.where(np.isfinite(after), after, measured)
        change = fitted.standardised(after)[:, [place]] - before
        for one, *learned in zip(movers, here, there, change, strict=True):
            one.learn(*learned)
        here, measured = there, after
        further = side * after[:, place] > side * farthest
        farthest = np.where(further, after[:, place], farthest)
    return farthest


def _inside(column: str, value: float, side: int) -> float:
    """An end of a range, within the attribute's own and in the decimals that it is shown with."""
    if is_probability(column) and min(value, 1 - value) < _CERTAIN:
        return float(round(value))
    attribute = next(one for one in ATTRIBUTES.values() if one.column == column)
    within = min(max(value, attribute.low), attribute.high)
    scale = 10.0**attribute.decimals
    inward = math.ceil(within * scale) if side < 0 else math.floor(within * scale)
    return inward / scale
