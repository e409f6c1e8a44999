# SPDX-License-Identifier: GPL-3.0-or-later
"""Total variation: its value on known images, its derivative by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan._core import _testing
from ffgan.typing import Float32

UNUSED = np.zeros((1, 162, 162, 3), np.uint8)  # it does not look at the real images


def total_variation(images: Float32) -> tuple[float, Float32]:
    return _testing.generator_loss("total_variation", images, UNUSED)  # type: ignore[no-any-return]


def test_total_variation_is_the_length_of_edges_times_their_height() -> None:
    flat = np.full((1, 3, 162, 162), 0.3, np.float32)
    value, gradient = total_variation(flat)
    assert value == pytest.approx(0, abs=1e-12) and not gradient.any()
    edge = flat.copy()
    edge[0, 1, :, 80:] += 0.5
    # One channel of three has an edge of 162 pixels; the smoothing takes 0.001 off its height.
    assert total_variation(edge)[0] == pytest.approx(0.499 * 162 / (3 * 162**2), rel=1e-4)
    corner = flat.copy()
    corner[0, :, :80, :80] += 0.5  # both differences meet in one pixel, whose diagonal counts
    expected = (158 * 0.499 + np.sqrt(0.5) - 0.001) / 162**2
    assert total_variation(corner)[0] == pytest.approx(expected, rel=1e-4)


def test_total_variation_is_derived_as_finite_differences_say() -> None:
    random = np.random.default_rng(3)
    x = random.random((1, 3, 162, 162), dtype=np.float32)
    gradient = total_variation(x)[1]
    for _ in range(3):
        direction = random.standard_normal(x.shape).astype(np.float32)
        ahead, behind = (total_variation(x + step * direction)[0] for step in (1e-4, -1e-4))
        expected = float(np.vdot(gradient.astype(np.float64), direction))
        assert (ahead - behind) / 2e-4 == pytest.approx(expected, rel=1e-2, abs=1e-5)
