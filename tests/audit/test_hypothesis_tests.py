# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of the audit against SciPy's, and against what can be counted by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ffgan.audit import hypothesis_tests
from ffgan.audit.hypothesis_tests import (
    PERMUTATIONS,
    binomial_tail,
    label_permutation,
    mann_whitney,
    normal_tail,
    precedence,
)


@pytest.mark.parametrize("trials", [1, 7, 300, 2000])
@pytest.mark.parametrize("probability", [0.5, 0.03, 0.8])
def test_the_binomial_tail_is_scipys(trials: int, probability: float) -> None:
    for successes in {0, 1, trials // 2, round(0.9 * trials), trials}:
        expected = stats.binomtest(successes, trials, probability, alternative="greater").pvalue
        ours = binomial_tail(successes, trials, probability)
        assert ours == pytest.approx(expected, rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shift", [-1.0, -0.1, 0.0, 2.0])
def test_mann_whitney_is_scipys(ties: bool, shift: float) -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(shift, 1, 150), random.normal(0, 1, 220)
    if ties:
        x, y = x.round(1), y.round(1)
    expected = stats.mannwhitneyu(x, y, alternative="less", method="asymptotic")
    ours = mann_whitney(x, y)
    assert ours.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert (ours.z < -5) == (shift == -1)


def test_mann_whitney_of_equal_values_says_nothing() -> None:
    assert mann_whitney(np.ones(5), np.ones(7)) == (0.0, 1.0)


def test_the_normal_tail_is_scipys() -> None:
    for z in (-3.0, 0.0, 1.0, 30.0):
        assert normal_tail(z) == pytest.approx(stats.norm.sf(z), rel=1e-10)


def test_precedence_is_the_hypergeometric_tail() -> None:
    for before, samples, rank, others in ((0, 20, 1, 20), (3, 20, 1, 30), (40, 2000, 20, 2000)):
        expected = stats.hypergeom(samples + others, samples, before + rank - 1).sf(before - 1)
        assert precedence(before, samples, rank, others) == pytest.approx(expected, rel=1e-8)


def test_precedence_is_a_count_of_orders() -> None:
    """All orders of 3 samples among 4 others, counted one by one."""
    orders = list(itertools.combinations(range(7), 3))  # the places of the samples
    for rank, before in itertools.product((1, 2, 4), range(4)):
        hits = 0
        for places in orders:
            others = [place for place in range(7) if place not in places]
            hits += sum(place < others[rank - 1] for place in places) >= before
        assert precedence(before, 3, rank, 4) == pytest.approx(hits / math.comb(7, 3))


def test_one_vote_each_is_the_hypergeometric_tail() -> None:
    chosen = np.array([*range(20), *range(30, 35)])  # of 30 and 30
    share, test = label_permutation(chosen, 30, 30, seed=0)
    exact = stats.hypergeom(60, 30, 25)
    assert share == 0.8
    assert test.p == pytest.approx(exact.sf(19), abs=4 * math.sqrt(exact.sf(19) / PERMUTATIONS))
    assert test.z == pytest.approx((20 - exact.mean()) / exact.std())


def test_votes_that_are_bunched_are_known_to_be_few() -> None:
    """Half of 1000 votes on one image are one piece of evidence, not 500."""
    votes = np.concatenate([np.zeros(500, int), np.arange(1, 501) * 4 % 2000])
    share, test = label_permutation(votes, 1000, 1000, seed=0)
    chance = binomial_tail(round(share * 1000), 1000, 0.5)
    assert chance < 1e-10
    assert test.p > 0.1
    assert test.z < 2


def test_all_votes_on_few_of_one_group_are_significant() -> None:
    share, test = label_permutation(np.arange(1000) % 50, 50, 2000, seed=0)
    assert share == 1
    assert test.p == 1 / (PERMUTATIONS + 1)
    assert label_permutation(np.arange(1000) % 50, 50, 2000, seed=0) == (share, test)


def test_p_values_are_uniform_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypothesis_tests, "PERMUTATIONS", 999)
    random = np.random.default_rng(1)
    values = []
    for _ in range(200):
        popular = random.zipf(1.8, 400) % 900
        values.append(label_permutation(random.permutation(900)[popular], 300, 600, seed=0)[1].p)
    # At least as large as uniform, since votes come in lumps.
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(values) < level) < level + 4 * math.sqrt(level / 200)
