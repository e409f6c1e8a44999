# SPDX-License-Identifier: GPL-3.0-or-later
"""Least squares from latents to what was measured on their faces."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ffgan.typing import Float64

_RIDGE_LINEAR: Final = 30.0
_RIDGE_QUADRATIC: Final = 1000.0
"""In squared standard deviations of the noise, as the sum over the samples of one latent is."""


class Regression(NamedTuple):
    """``constant + z @ linear.T``, and what ``quadratic`` (k, d, d) adds along ``directions``."""

    constant: Float64
    linear: Float64
    quadratic: Float64


def linear(latents: Float64, values: Float64) -> tuple[Float64, Float64]:
    """Return the constant (k,) and the slopes (k, 100) of values (n, k) over latents (n, 100)."""
    middle = latents.mean(axis=0), values.mean(axis=0)
    slopes = _ridge(latents - middle[0], values - middle[1], _RIDGE_LINEAR)
    constant: Float64 = middle[1] - middle[0] @ slopes
    return constant, slopes.T


def quadratic(latents: Float64, values: Float64, directions: Float64) -> Regression:
    """Fit ``values`` (n, k), the quadratic part along ``directions`` (d, 100) to the rest.

    Ridge regression in two stages, so that the linear part is the average slope over the noise.
    """
    constant, slopes = linear(latents, values)
    rest = values - constant - latents @ slopes.T
    along = latents @ directions.T
    first, second = np.tril_indices(len(directions))
    products = along[:, first] * along[:, second]
    middle = products.mean(axis=0)
    found = _ridge(products - middle, rest - rest.mean(axis=0), _RIDGE_QUADRATIC)
    matrices = np.zeros((values.shape[1], len(directions), len(directions)))
    matrices[:, first, second] += found.T / 2
    matrices[:, second, first] += found.T / 2
    return Regression(constant + rest.mean(axis=0) - middle @ found, slopes, matrices)


def r_squared(predicted: Float64, values: Float64) -> Float64:
    """Return, for each column of (n, k), the share of the variance that is predicted."""
    wrong = ((predicted - values) ** 2).mean(axis=0)
    return np.asarray(1 - wrong / np.maximum(values.var(axis=0), 1e-12), np.float64)


def _ridge(inputs: Float64, outputs: Float64, penalty: float) -> Float64:
    gram = inputs.T @ inputs
    gram[np.diag_indices_from(gram)] += penalty
    return np.asarray(np.linalg.solve(gram, inputs.T @ outputs), np.float64)
