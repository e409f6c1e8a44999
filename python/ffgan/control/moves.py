# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to move a latent so that some attributes change and the others stay.

A step is the cheapest move, in length and in identity, after which the map predicts the targets:
Gauss-Newton on the map alone. What it brought about is measured, and what the map got wrong is
corrected along the move (Broyden 1965), for the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ffgan.control.fitted_map import AttributeMap
from ffgan.errors import ModelError
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float64

GRID: Final = 1024.0
"""Latents are rounded to 1 / `GRID`: what another machine rounds otherwise changes no face."""

LONGEST_STEP: Final = 4.0
"""A longer one leaves the region in which the map is right."""

FIRM: Final = 1e-3
LOOSE: Final = 0.02
"""How far a target may be missed to save a move, 0 being at any price: of what is asked for, and of
what is only to stay."""

ONE_THING: Final = 0.85
"""Columns whose slopes' cosine is beyond this measure much the same, such as the brightness of a
face and the tone of its skin: to hold one while the other is moved gives faces of odd colours."""

FREE: Final = 1e3
"""As `LOOSE`, of what may do as it likes."""

LONGEST_LATENT: Final = 12.5
"""Noise of 100 numbers is hardly ever longer; faces beyond are odd ones."""

_ITERATIONS: Final = 3


def rounded(latent: Float64) -> Float64:
    """Round a latent to the grid; it is then exact in float32 too."""
    result: Float64 = np.rint(latent * GRID) / GRID
    return result


class Mover:
    """The moves of one face: asked what to do next, and told what came of it.

    What is asked for is measured. The rest is to stay, and is believed to do what the map predicts:
    measuring it too costs more than it adds.
    """

    def __init__(
        self, fitted: AttributeMap, start: Float64, places: Sequence[int], aims: Float64
    ) -> None:
        """``start``: the latent (100,); ``places``: those of the map's columns that are to come to
        ``aims``, standardised, as many."""
        self._map = fitted
        self._places = list(places)
        self._aims = aims
        self._kept = fitted.predict(start)
        alike = np.abs(fitted.cosines[:, self._places]).max(axis=1, initial=0.0)
        slack = np.where(alike > ONE_THING, FREE, LOOSE)
        slack[self._places] = FIRM
        self._slack = np.diag(slack)
        self._correction = np.zeros((len(slack), LATENT_SIZE))

    def step(self, latent: Float64, measured: Float64) -> Float64:
        """Return the next latent (100,), on the grid, after one with what was ``measured``.

        Raises `ModelError` where the map has numbers that no fit gives.
        """
        base = self._map.predict(latent)
        missing = self._kept - base
        missing[self._places] = self._aims - measured
        move = np.zeros(LATENT_SIZE)
        for _ in range(_ITERATIONS):
            derivative = self._map.jacobian(latent + move) + self._correction
            predicted = self._map.predict(latent + move) - base + self._correction @ move
            wanted = missing - predicted + derivative @ move
            cheap = self._map.cheapness @ derivative.T
            try:
                move = cheap @ np.linalg.solve(derivative @ cheap + self._slack, wanted)
            except np.linalg.LinAlgError as error:  # so large that the slack is rounded away
                raise ModelError(
                    "the model's fitted attributes lead to no move: fit them again: "
                    "python -m ffgan fit-attributes"
                ) from error
            move *= min(1.0, LONGEST_STEP / max(float(np.linalg.norm(move)), 1e-12))
        bound = max(LONGEST_LATENT, float(np.linalg.norm(latent)))
        there = latent + move
        return rounded(there * min(1.0, bound / max(float(np.linalg.norm(there)), 1e-12)))

    def learn(self, before: Float64, after: Float64, change: Float64) -> None:
        """Correct the derivative by the measured ``change`` between two latents (100,)."""
        move = after - before
        squared = float(move @ move)
        if squared > 0:
            predicted = self._map.predict(after) - self._map.predict(before)
            expected = predicted + self._correction @ move
            wrong = change - expected[self._places]
            self._correction[self._places] += np.outer(wrong, move) / squared
