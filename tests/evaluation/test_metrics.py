# SPDX-License-Identifier: GPL-3.0-or-later
"""The formulas against plain ones, written as the papers write them."""

from __future__ import annotations

import itertools
import sys

import cv2
import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from ffgan.errors import ExtraError
from ffgan.evaluation import metrics

Array = NDArray[np.float64]


def features(count: int, size: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> Array:
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((size, size)) / np.sqrt(size)
    return np.maximum(random.standard_normal((count, size)) @ mix * scale + shift, 0)


PAIRS = [
    (features(300, 24, 1), features(280, 24, 2, shift=0.2, scale=1.3)),
    (features(40, 64, 3), features(50, 64, 4, shift=0.1)),  # fewer vectors than dimensions
    (features(1500, 8, 5), features(2600, 8, 6)),  # more than one block of rows
]


def plain_frechet(x: Array, y: Array) -> float:
    mean = x.mean(axis=0) - y.mean(axis=0)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    # A little on the diagonal, as is usual, where a covariance has no inverse.
    ridge = (1e-9 if len(x) <= x.shape[1] else 0) * np.eye(x.shape[1])
    root = scipy.linalg.sqrtm((cov_x + ridge) @ (cov_y + ridge))
    return float(mean @ mean + np.trace(cov_x + cov_y - 2 * np.real(root)))


def plain_kernel(x: Array, y: Array) -> float:
    def k(a: Array, b: Array) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i, j in itertools.permutations(range(m), 2)) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def plain_share_inside(x: Array, y: Array, neighbours: int) -> float:
    radii = []
    for i in range(len(y)):
        others = [np.linalg.norm(y[i] - y[j]) for j in range(len(y)) if j != i]
        radii.append(sorted(others)[neighbours - 1])
    inside = [
        any(np.linalg.norm(a - b) <= radius for b, radius in zip(y, radii, strict=True)) for a in x
    ]
    return sum(inside) / len(inside)


def plain_sliced_wasserstein(x: Array, y: Array, seed: tuple[int, ...]) -> float:
    flat = []
    for patches in (x, y):
        patches = patches.astype(np.float64).copy()
        for channel in range(3):
            values = patches[:, channel]
            patches[:, channel] = (values - values.mean()) / values.std()
        flat.append(patches.reshape(len(patches), -1))
    directions = np.random.default_rng(seed).standard_normal((147, metrics.DIRECTIONS)).T
    distances = []
    for direction in directions:
        unit = direction / np.linalg.norm(direction)
        a, b = (np.sort([patch @ unit for patch in patches]) for patches in flat)
        distances.append(np.abs(a - b).mean())
    return float(1000 * np.mean(distances))


@pytest.mark.parametrize(("x", "y"), PAIRS)
def test_frechet_distance_is_that_of_the_matrix_root(x: Array, y: Array) -> None:
    expected = plain_frechet(x, y)
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert metrics.frechet_distance(y, x) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    if len(x) > x.shape[1]:
        assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-7)


def test_frechet_distance_of_known_normal_distributions() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((200_000, 3)) * [1, 2, 3]
    y = random.standard_normal((200_000, 3)) * [2, 2, 1] + [1, 0, 0]
    # The covariances share their axes: |1|^2 + (1 - 2)^2 + 0 + (3 - 1)^2.
    assert metrics.frechet_distance(x, y) == pytest.approx(6, rel=0.02)


@pytest.mark.parametrize("x", [x for pair in PAIRS for x in pair])
def test_a_set_is_at_no_distance_from_itself(x: Array) -> None:
    scale = float(x.var(axis=0).sum())
    assert metrics.frechet_distance(x, x) <= 1e-9 * scale
    assert metrics.precision_recall(x, x) == (1, 1)
    assert metrics.kernel_distance(x, x[::-1]).value < 0.01 * scale


def test_kernel_distance_is_the_sum_over_all_pairs() -> None:
    x, y = features(33, 6, 1), features(41, 6, 2, shift=0.3)
    assert metrics.kernel_distance(x, y).value == pytest.approx(plain_kernel(x, y), rel=1e-10)


def test_the_jackknife_leaves_out_one_block_at_a_time() -> None:
    x, y = features(23, 6, 1), features(40, 6, 2, shift=0.3)
    blocks = 5
    parts_x, parts_y = np.array_split(x, blocks), np.array_split(y, blocks)
    left_out = [
        plain_kernel(
            np.concatenate(parts_x[:b] + parts_x[b + 1 :]),
            np.concatenate(parts_y[:b] + parts_y[b + 1 :]),
        )
        for b in range(blocks)
    ]
    expected = np.sqrt((blocks - 1) * np.var(left_out))
    assert metrics.kernel_distance(x, y, blocks).standard_error == pytest.approx(expected, rel=1e-8)


def test_the_standard_error_is_that_of_repeated_draws() -> None:
    drawn = [
        metrics.kernel_distance(features(200, 6, 2 * s), features(200, 6, 2 * s + 1, shift=0.2))
        for s in range(60)
    ]
    spread = np.std([estimate.value for estimate in drawn])
    stated = np.mean([estimate.standard_error for estimate in drawn])
    assert 0.75 * spread < stated < 1.35 * spread


def test_kernel_distance_has_no_bias() -> None:
    values = [
        metrics.kernel_distance(features(60, 6, 2 * s), features(60, 6, 2 * s + 1)).value
        for s in range(200)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("neighbours", [1, 3])
def test_precision_and_recall_are_shares_inside_balls(neighbours: int) -> None:
    x, y = features(60, 5, 1), features(45, 5, 2, scale=0.6, shift=0.3)
    assert metrics.precision_recall(x, y, neighbours) == (
        plain_share_inside(x, y, neighbours),
        plain_share_inside(y, x, neighbours),
    )
    precision, recall = metrics.precision_recall(x, y, neighbours)
    assert 0 < precision < 1
    assert 0 < recall < 1


def test_precision_and_recall_over_several_blocks() -> None:
    x, y = PAIRS[2]
    assert metrics.precision_recall(x, y) == metrics.precision_recall(y, x)[::-1]
    far = x + 1000
    assert metrics.precision_recall(far, y) == (0, 0)


def test_one_sample_again_and_again_has_no_recall() -> None:
    real = features(200, 5, 1)
    precision, recall = metrics.precision_recall(np.repeat(real[:1], 100, axis=0), real)
    assert precision == 1
    assert recall == pytest.approx(1 / 200)


def test_spread_counts_every_pair_once() -> None:
    x = features(50, 5, 1)
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(x, 2)]
    limit = float(np.median(distances))
    assert metrics.spread(x, limit) == pytest.approx(
        (np.mean(distances), np.std(distances), np.mean(np.array(distances) < limit))
    )


def test_sliced_wasserstein_is_the_difference_of_sorted_projections() -> None:
    random = np.random.default_rng(3)
    x = random.standard_normal((40, 3, 7, 7)).astype(np.float32) * 2 + 1
    y = random.uniform(0, 1, (40, 3, 7, 7)).astype(np.float32) ** 2
    seed = (4, 2)
    expected = plain_sliced_wasserstein(x, y, seed)
    assert metrics.sliced_wasserstein(x, y, seed) == pytest.approx(expected, rel=1e-4)
    assert metrics.sliced_wasserstein(x, y, (4, 3)) != pytest.approx(expected, rel=1e-4)
    assert metrics.sliced_wasserstein(x, x[::-1] * 3 + 5, seed) < 0.01 * expected


def test_the_pyramid_is_opencvs(photo: NDArray[np.uint8]) -> None:
    levels = metrics.laplacian_pyramid(photo[None])
    assert [level.shape for level in levels] == [(1, 3, side, side) for side in (162, 81, 41, 21)]
    picture = photo.astype(np.float32) / 255
    for level in levels[:-1]:
        smaller = cv2.pyrDown(picture)
        expected = picture - cv2.pyrUp(smaller, dstsize=picture.shape[1::-1])
        # At the end of an odd side OpenCV mirrors another pixel.
        inside = slice(None, -2), slice(None, -2)
        ours = level[0].transpose(1, 2, 0)
        np.testing.assert_allclose(ours[inside], expected[inside], atol=1e-6)
        picture = smaller
    np.testing.assert_allclose(levels[-1][0].transpose(1, 2, 0), picture, atol=1e-6)


def test_the_pyramid_of_one_colour_is_that_colour() -> None:
    *levels, smallest = metrics.laplacian_pyramid(np.full((2, 162, 162, 3), 51, np.uint8))
    assert all(np.abs(level).max() < 1e-6 for level in levels)
    np.testing.assert_allclose(smallest, 0.2, atol=1e-6)


def test_patches_come_from_their_image(photo: NDArray[np.uint8]) -> None:
    level = metrics.laplacian_pyramid(np.stack([photo, np.zeros_like(photo)]))[1]
    some = metrics.patches(level, 0, 9, (1, 2))
    assert some.shape == (9, 3, 7, 7)
    windows = np.lib.stride_tricks.sliding_window_view(level[0], (3, 7, 7)).reshape(-1, 3, 7, 7)
    for patch in some:
        assert (windows == patch).all(axis=(1, 2, 3)).any()
    np.testing.assert_array_equal(some, metrics.patches(level, 0, 9, (1, 2)))
    assert not np.array_equal(some, metrics.patches(level, 0, 9, (1, 3)))
    assert not metrics.patches(level, 1, 9, (1, 2)).any()


def test_the_threads_of_numpy_are_given_back() -> None:
    before = threadpool_info()
    metrics.frechet_distance(*PAIRS[0])
    assert threadpool_info() == before


def test_without_the_extra_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    metrics._blas_controller.cache_clear()
    with pytest.raises(ExtraError, match=r"pip install 'ffgan\[evaluate\]'"):
        metrics.frechet_distance(*PAIRS[0])


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).uniform(0, 255, (162, 162, 3))
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5)).astype(np.uint8)
