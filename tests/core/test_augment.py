# SPDX-License-Identifier: GPL-3.0-or-later
"""Differentiable augmentation and its adjoint."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan._core import _testing


@pytest.mark.parametrize("policy", [{"colour": True}, {"translation": 7}, {"cutout": 9}, None])
def test_augmentation_and_its_adjoint_belong_together(policy: dict[str, int] | None) -> None:
    # For an affine map A x + b, <A dx, y> = <dx, A^T y> for all dx and y.
    settings = policy or {"colour": True, "translation": 7, "cutout": 9}
    random = np.random.default_rng(1)
    x, dx, y = (random.random((5, 3, 31, 31), dtype=np.float32) for _ in range(3))
    changed = _testing.augment(x + dx, key=4, **settings) - _testing.augment(x, key=4, **settings)
    back = _testing.augment(y, key=4, adjoint=True, **settings)
    assert np.vdot(changed, y) == pytest.approx(np.vdot(dx, back), rel=1e-4)
    assert not np.array_equal(_testing.augment(x, key=4, **settings), x)
    assert not np.array_equal(
        _testing.augment(x, key=4, **settings), _testing.augment(x, key=5, **settings)
    )


def test_translation_brings_in_grey_and_keeps_the_rest() -> None:
    x = np.random.default_rng(0).random((64, 3, 20, 20), dtype=np.float32) / 4
    moved = _testing.augment(x, key=0, translation=6)
    for before, after in zip(x, moved, strict=True):
        kept = after[:, ~(after == 0.5).all(axis=(0, 2))][:, :, ~(after == 0.5).all(axis=(0, 1))]
        rows, columns = kept.shape[1:]
        assert rows >= 14 and columns >= 14
        windows = np.lib.stride_tricks.sliding_window_view(before, (3, rows, columns))
        assert (windows == kept).all(axis=(-3, -2, -1)).any()


def test_a_share_of_the_images_is_changed_and_the_others_are_as_they_are() -> None:
    x = np.random.default_rng(0).random((400, 3, 12, 12), dtype=np.float32)
    whole = {"colour": True, "translation": 3, "cutout": 5, "key": 9}
    all_of_them = _testing.augment(x, **whole)
    some = _testing.augment(x, **whole, share=0.3)
    changed = (some != x).any(axis=(1, 2, 3))
    assert 90 <= changed.sum() <= 150
    np.testing.assert_array_equal(some[changed], all_of_them[changed])
    back = _testing.augment(x, **whole, share=0.3, adjoint=True)
    np.testing.assert_array_equal(back[~changed], x[~changed])
    np.testing.assert_array_equal(_testing.augment(x, **whole, share=0.0), x)
