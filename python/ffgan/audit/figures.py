# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of an audit: distances to the nearest training images, and tests of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ffgan import evaluation
from ffgan.audit import hypothesis_tests
from ffgan.audit.nearest_neighbours import NearestNeighbours, Space
from ffgan.typing import Float64

QUANTILE: Final = 0.01
"""The share of the real images' distances below the threshold."""

BINS: Final = 40


def compare(
    space: Space,
    ours: NearestNeighbours,
    real: NearestNeighbours,
    control: dict[str, NearestNeighbours],
    trained: int,
) -> dict[str, Any]:
    """Return the figures of one space, as JSON's types.

    The nearest of the ``trained`` training images to ``ours``, the samples, and to ``real`` images;
    ``control``: the nearest held-out images, to both; empty without some.
    """
    distances, real_distances = ours.distance[space], real.distance[space]
    alone, real_alone = ours.closeness(space), real.closeness(space)
    rank = rank_of_threshold(len(real_alone))
    threshold, limit = (float(np.sort(x)[rank - 1]) for x in (real_distances, real_alone))
    below, standing_out = (int((x < y).sum()) for x, y in ((distances, threshold), (alone, limit)))
    result: dict[str, Any] = {
        "distances": {
            "samples": _quantiles(distances),
            "real": _quantiles(real_distances),
            "histogram": _histogram(distances, real_distances),
        },
        "nearer": hypothesis_tests.mann_whitney(distances, real_distances)._asdict(),
        "below_threshold": {
            "threshold": threshold,
            "samples": below / len(distances),
            "real": float((real_distances < threshold).mean()),
        },
        "one_alone": {
            "threshold": limit,
            "samples": standing_out / len(alone),
            "real": float((real_alone < limit).mean()),
            "p": hypothesis_tests.precedence(standing_out, len(alone), rank, len(real_alone)),
        },
    }
    if not control:
        return result
    to_others, among_others = (control[name].distance[space] for name in ("samples", "real"))
    result["nearer_to_held_out"] = hypothesis_tests.mann_whitney(to_others, among_others)._asdict()
    # Where both are as near, the held-out image gets it: that is no sign of copying.
    chosen = np.where(
        distances < to_others, ours.index[space], trained + control["samples"].index[space]
    )
    held_out = len(real_distances)
    expected = trained / (trained + held_out)
    share, test = hypothesis_tests.label_permutation(
        chosen, trained, held_out, seed=evaluation.SEED
    )
    result["training_is_nearest"] = {
        "samples": share,
        "expected": expected,
        **test._asdict(),
        "p_if_independent": hypothesis_tests.binomial_tail(
            round(share * len(chosen)), len(chosen), expected
        ),
        "copied": max(0.0, (share - expected) / (1 - expected)),
    }
    return result


def rank_of_threshold(real: int) -> int:
    """Which of the ``real`` images' distances, from the smallest on, is the threshold."""
    return max(1, round(QUANTILE * real))


def least_share(samples: int, real: int, p: float) -> float:
    """The smallest share of copies among the samples that has a p value below ``p``.

    That is by the test of faces close to one training image alone, where no sample but the copies
    is as close. 1 where not even all of them would.
    """
    rank = rank_of_threshold(real)
    for copies in range(1, samples + 1):
        if hypothesis_tests.precedence(copies, samples, rank, real) < p:
            return copies / samples
    return 1.0


def _quantiles(values: Float64) -> dict[str, float]:
    shares = {"minimum": 0, "percentile_1": 1, "quartile_1": 25, "median": 50, "quartile_3": 75}
    return {name: float(np.percentile(values, share)) for name, share in shares.items()}


def _histogram(samples: Float64, real: Float64) -> dict[str, list[float]]:
    """The shares of both in equal bins over all of both."""
    both = np.concatenate([samples, real])
    edges = np.linspace(both.min(), max(both.max(), both.min() + 1e-9), BINS + 1)
    return {
        "edges": edges.tolist(),
        "samples": (np.histogram(samples, edges)[0] / len(samples)).tolist(),
        "real": (np.histogram(real, edges)[0] / len(real)).tolist(),
    }
