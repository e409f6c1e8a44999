# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of statistical significance for the audit, in NumPy alone.

All are one-sided: their p value is the probability of a figure at least so large, or so small,
where nothing but chance is at work.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.floating[Any]]

PERMUTATIONS: Final = 20_000
_TOGETHER: Final = 500  # permutations in memory at a time


class Significance(NamedTuple):
    """A standard score, and the p value."""

    z: float
    p: float


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    """Return P(X >= successes) for X successes in independent trials, summed exactly."""
    if successes <= 0:
        return 1.0
    log_p, log_q = math.log(probability), math.log1p(-probability)
    terms = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * log_p
        + (trials - k) * log_q
        for k in range(successes, trials + 1)
    ]
    # The largest first, so that the rest does not underflow before it is added.
    largest = max(terms, default=-math.inf)
    total = math.fsum(math.exp(term - largest) for term in terms)
    return min(1.0, math.exp(largest) * total)


def mann_whitney(x: Numbers, y: Numbers) -> Significance:
    """Test whether values of ``x`` (n,) tend to be smaller than those of ``y`` (m,).

    The U test of Mann and Whitney (1947) with the normal approximation, corrected for ties and
    continuity. z below 0: smaller. It takes the values for independent.
    """
    n, m = len(x), len(y)
    values, places, ties = np.unique(
        np.concatenate([x, y]), return_inverse=True, return_counts=True
    )
    last = np.cumsum(ties)
    ranks = (last - (ties - 1) / 2)[places.reshape(-1)]
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    mean = n * m / 2
    total = n + m
    shrunk = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (total * (total - 1))
    deviation = math.sqrt(n * m / 12 * (total + 1 - shrunk))
    if deviation == 0 or len(values) == 1:
        return Significance(0.0, 1.0)
    z = (u - mean + 0.5) / deviation
    return Significance((u - mean) / deviation, normal_tail(-z))


def normal_tail(z: float) -> float:
    """Return P(Z >= z) of the standard normal distribution."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def label_permutation(
    chosen: NDArray[np.int64], first: int, second: int, *, seed: int
) -> tuple[float, Significance]:
    """Test whether votes fall on the first of two groups more often than chance explains.

    ``chosen`` (k,): for each vote the number of the one that it fell on, of ``first + second``
    ones, of which the first ``first`` are one group. Returns the share of votes for that group, and
    the test: where the groups differ by their labels alone, all choices of ``first`` labels are
    equally probable, so those votes are recounted with `PERMUTATIONS` random choices. That allows
    for what independent trials do not know: that a few ones get many of the votes. p is at least
    1 / (`PERMUTATIONS` + 1).
    """
    total = first + second
    ones, votes = np.unique(chosen, return_counts=True)
    observed = int(votes[ones < first].sum())
    mean = len(chosen) * first / total
    spread = float(np.sum(votes.astype(np.float64) ** 2)) - len(chosen) ** 2 / total
    variance = spread * first * second / (total * (total - 1))
    random = np.random.default_rng(seed)
    as_many = 0
    for start in range(0, PERMUTATIONS, _TOGETHER):
        rows = min(_TOGETHER, PERMUTATIONS - start)
        # Only labels of those with votes matter: how many of them are of the first group, which.
        labelled = random.hypergeometric(first, second, len(ones), rows)
        shuffled = random.permuted(np.broadcast_to(votes, (rows, len(votes))), axis=1)
        counted = np.cumsum(shuffled, axis=1)
        drawn = np.where(labelled > 0, counted[np.arange(rows), np.maximum(labelled, 1) - 1], 0)
        as_many += int(np.count_nonzero(drawn >= observed))
    z = (observed - mean) / math.sqrt(variance) if variance > 0 else 0.0
    return observed / len(chosen), Significance(z, (1 + as_many) / (1 + PERMUTATIONS))


def precedence(before: int, samples: int, rank: int, others: int) -> float:
    """Return the probability that at least ``before`` samples lie below the others' rank-th value.

    A precedence test (Nelson 1963): of ``samples + others`` values from one distribution, at least
    ``before`` of the samples come before the ``rank``-th smallest of the others exactly if there
    are no more than ``rank - 1`` others among the first ``before + rank - 1``: a hypergeometric
    probability, summed exactly.
    """
    drawn = before + rank - 1
    whole = _log_choose(samples + others, drawn)
    return min(
        1.0,
        math.fsum(
            math.exp(_log_choose(others, k) + _log_choose(samples, drawn - k) - whole)
            for k in range(rank)
            if k <= others and 0 <= drawn - k <= samples
        ),
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
