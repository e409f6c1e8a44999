# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image comes when, with and without weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.training_images import SMALL, number_of

from ffgan.dataset import Dataset
from ffgan.dataset.order import Order
from ffgan.errors import UsageError


def times(weights: list[float], epoch: int, seed: int = 7) -> list[int]:
    """How often each image comes in an epoch."""
    count = len(weights)
    order = Order(count, seed, np.array(weights))
    shown = Counter(order.index(epoch * count + k) for k in range(count))
    return [shown[k] for k in range(count)]


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(0, 1e6), min_size=1, max_size=60).filter(any),
    epoch=st.integers(0, 3),
)
def test_an_image_comes_by_its_share_rounded_down_or_up(weights: list[float], epoch: int) -> None:
    found = np.array(times(weights, epoch))
    shares = len(weights) * np.array(weights) / sum(weights)
    assert found.sum() == len(weights)
    assert (np.abs(found - shares) < 1 + 1e-9).all()


def test_over_epochs_it_comes_by_its_share() -> None:
    weights = [0, 1, 1, 2.5, 0.5, 1]
    total = np.sum([times(weights, epoch) for epoch in range(400)], axis=0)
    np.testing.assert_allclose(total / 400, weights, atol=0.08)
    assert total[0] == 0


def test_equal_weights_show_each_image_once_an_epoch() -> None:
    assert times([3.7] * 50, 0) == [1] * 50 == times([1e-9] * 50, 2)
    assert times([5e-324] * 3, 0) == [1] * 3  # the smallest number above 0


def test_what_comes_twice_does_not_come_in_a_row() -> None:
    order = Order(200, 1, np.array([50.0] + [1.0] * 199))
    places = [k for k in range(200) if order.index(k) == 0]
    assert len(places) in (40, 41) and places[-1] - places[0] > 120


def test_the_order_is_a_function_of_the_seed() -> None:
    def order(seed: int) -> list[int]:
        made = Order(30, seed, np.arange(30.0))
        return [made.index(k) for k in (*range(90, 60, -1), *range(30))]

    assert order(1) == order(1) != order(2)


def test_batches_take_weights(folder: Path) -> None:
    with Dataset(folder, size=SMALL) as data:
        weights = np.array([number_of(data.image(k)) == 3 for k in range(len(data))], float)
        stream = data.batches(5, seed=1, weights=weights)
        assert [number_of(image) for image in next(stream)] == [3] * 5
        for wrong in (weights[1:], -weights, 0 * weights, np.nan * weights):
            with pytest.raises(UsageError, match="weights must be 12 finite numbers, none below 0"):
                data.batches(5, seed=1, weights=wrong)
