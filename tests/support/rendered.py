# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of models, compared between engines."""

from __future__ import annotations

import numpy as np

# Two engines add up in another order, so a sigmoid that falls on the boundary of two pixel values
# may round to either: by one, in this share of the values at most.
OTHER_ROUNDING = 1e-3


def assert_same_images(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert ours.std() > 10, "a flat picture proves nothing"
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= OTHER_ROUNDING * difference.size
