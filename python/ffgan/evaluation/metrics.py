# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart two sets of images are: the formulas, on features and patches as NumPy arrays.

All sums are in double precision, on one thread and so in an order that only the arrays' sizes
decide; memory stays bounded for sets of any size. The two sets may differ in size. Needs the extra
`evaluate`; without it `ExtraError` is raised.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import ExtraError
from ffgan.typing import Float32, Float64, UInt8

Features: TypeAlias = NDArray[np.floating[Any]]

NEIGHBOURS: Final = 3
PATCH: Final = 7
DIRECTIONS: Final = 512
JACKKNIFE_BLOCKS: Final = 20
SMALLEST_LEVEL: Final = 16

_ROWS: Final = 1024  # of a matrix that is never there as a whole
_SORTED_TOGETHER: Final = 16  # directions


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    standard_error: float


P = ParamSpec("P")
R = TypeVar("R")


def on_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Keep NumPy's BLAS to one thread meanwhile.

    Sums then do not depend on the machine's cores; and threads of OpenBLAS that wait for one
    another on cores that are busy otherwise make these small products many times slower.
    """

    @functools.wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> R:
        with _blas_controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@functools.cache
def _blas_controller() -> Any:
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError as error:
        raise ExtraError("threadpoolctl is missing: pip install 'ffgan[evaluate]'") from error
    return ThreadpoolController()


def require() -> None:
    """Raise `ExtraError` now rather than at the first formula."""
    _blas_controller()


# --- Distances between sets of features ----------------------------------------------------------


@on_one_thread
def frechet_distance(x: Features, y: Features) -> float:
    """Return the Frechet distance of normal distributions fitted to features (n, d) and (m, d).

    |mean_x - mean_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) with unbiased covariances S (Heusel et
    al. 2017, arXiv 1706.08500, equation 6). It falls with the number of images, so compare only
    figures of equal numbers.

    S = R^T R from a QR decomposition of the centred features, and the trace of the root is the sum
    of the singular values of R_x R_y^T: no covariance is multiplied out, so none loses digits.
    """
    difference = x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)
    root_x, root_y = _covariance_root(x), _covariance_root(y)
    common = np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum()
    distance = difference @ difference + np.sum(root_x**2) + np.sum(root_y**2) - 2 * common
    return max(float(distance), 0.0)


def _covariance_root(x: Features) -> Float64:
    """R with R^T R = the covariance, at most d rows, from blocks of rows."""
    mean = x.mean(axis=0, dtype=np.float64)
    root = np.empty((0, x.shape[1]))
    for start in range(0, len(x), _ROWS):
        rows = np.concatenate([root, x[start : start + _ROWS] - mean])
        root = np.asarray(np.linalg.qr(rows, mode="r"))
    scaled: Float64 = root / np.sqrt(len(x) - 1)
    return scaled


@on_one_thread
def kernel_distance(x: Features, y: Features, blocks: int = JACKKNIFE_BLOCKS) -> Estimate:
    """Return the kernel distance (KID) of features (n, d) and (m, d), with its standard error.

    The unbiased estimate of the squared maximum mean discrepancy with the kernel (x.y / d + 1)^3
    (Binkowski et al. 2018, arXiv 1801.01401, section 4), from all pairs; its expectation does not
    depend on the number of images, and may come out below 0 where the sets agree. Where the paper
    averages over random subsets, this leaves out one of ``blocks`` subsets at a time: a jackknife,
    whose standard error, unlike the spread of overlapping subsets, is that of the value.
    """
    blocks = min(blocks, len(x), len(y))
    parts_x, parts_y = np.array_split(x, blocks), np.array_split(y, blocks)
    xx, yy, xy = (
        _kernel_sums(parts_x, parts_x, within=True),
        _kernel_sums(parts_y, parts_y, within=True),
        _kernel_sums(parts_x, parts_y, within=False),
    )
    sizes_x = np.array([len(part) for part in parts_x])
    sizes_y = np.array([len(part) for part in parts_y])

    def discrepancy(kept: NDArray[np.intp]) -> float:
        n, m = int(sizes_x[kept].sum()), int(sizes_y[kept].sum())
        square = np.ix_(kept, kept)
        within = xx[square].sum() / (n * (n - 1)) + yy[square].sum() / (m * (m - 1))
        return float(within - 2 * xy[square].sum() / (n * m))

    every = np.arange(blocks)
    left_out = np.array([discrepancy(np.delete(every, block)) for block in every])
    variance = (blocks - 1) / blocks * np.sum((left_out - left_out.mean()) ** 2)
    return Estimate(discrepancy(every), float(np.sqrt(variance)))


def _kernel_sums(x: list[Features], y: list[Features], *, within: bool) -> Float64:
    """Sums of the kernel for each pair of blocks; ``within`` one set, no vector with itself."""
    sums = np.empty((len(x), len(y)))
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            if within and j < i:
                sums[i, j] = sums[j, i]
                continue
            kernel = (a.astype(np.float64) @ b.T.astype(np.float64) / a.shape[1] + 1) ** 3
            if within and i == j:
                np.fill_diagonal(kernel, 0)
            sums[i, j] = kernel.sum()
    return sums


@on_one_thread
def precision_recall(
    samples: Features, real: Features, neighbours: int = NEIGHBOURS
) -> tuple[float, float]:
    """Return improved precision and recall of features (n, d) against real ones (m, d).

    Kynkaanniemi et al. 2019, arXiv 1904.06991, algorithm 1: each set is a union of balls, one
    around each of its vectors, as large as the distance to its ``neighbours``-th nearest other
    one. Precision is the share of the samples inside the real set, recall that of the real ones
    inside the samples'. Both depend on the numbers of images.
    """
    return _share_inside(samples, real, neighbours), _share_inside(real, samples, neighbours)


def _share_inside(x: Features, y: Features, neighbours: int) -> float:
    radii = np.concatenate(
        [
            # The nearest one is the vector itself.
            np.partition(distances, neighbours, axis=1)[:, neighbours]
            for distances in _squared_distances(y, y)
        ]
    )
    inside = [(distances <= radii).any(axis=1) for distances in _squared_distances(x, y)]
    return float(np.concatenate(inside).mean())


def _squared_distances(x: Features, y: Features) -> Any:
    """Yield the rows of the matrix of squared Euclidean distances, some at a time."""
    wide = y.astype(np.float64)
    lengths = np.einsum("ij,ij->i", wide, wide)
    for start in range(0, len(x), _ROWS):
        rows = x[start : start + _ROWS].astype(np.float64)
        own = np.einsum("ij,ij->i", rows, rows)[:, None]
        distances = own + lengths - 2 * (rows @ wide.T)
        # What rounding leaves of the distance between equal vectors.
        distances[distances < 1e-12 * (own + lengths)] = 0
        yield distances


class Spread(NamedTuple):
    """Distances of all pairs within a set: mean, standard deviation, share below a limit."""

    mean: float
    deviation: float
    below: float


@on_one_thread
def spread(x: Features, limit: float) -> Spread:
    """Return how far the vectors (n, d) of one set are from one another, over all pairs."""
    count, total, squares, below = 0, 0.0, 0.0, 0
    first = 0
    for squared in _squared_distances(x, x):
        for row, values in enumerate(squared, start=first):
            later = values[row + 1 :]
            count += len(later)
            total += float(np.sqrt(later).sum())
            squares += float(later.sum())
            below += int(np.count_nonzero(later < limit * limit))
        first += len(squared)
    mean = total / count
    return Spread(mean, float(np.sqrt(max(squares / count - mean * mean, 0.0))), below / count)


# --- Laplacian pyramids --------------------------------------------------------------------------


@on_one_thread
def laplacian_pyramid(images: UInt8) -> list[Float32]:
    """Return the levels of images (n, h, w, 3) uint8: (n, 3, h', w') float32, finest first.

    Burt and Adelson 1983: each level is what its image loses when it is halved with a binomial
    filter of 5 taps and enlarged again; the last, of at least `SMALLEST_LEVEL` pixels, is the
    small image itself. Values count from 0 to 1, levels from -1 to 1. Rows and columns are
    mirrored at the borders.
    """
    level = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
    levels = []
    while (min(level.shape[2:]) + 1) // 2 >= SMALLEST_LEVEL:
        rows, columns = level.shape[2:]
        smaller = _halving(rows) @ level @ _halving(columns).T
        levels.append(level - _doubling(rows) @ smaller @ _doubling(columns).T)
        level = smaller
    return [*levels, level]


def _binomial(size: int) -> Float64:
    """The filter (1, 4, 6, 4, 1) / 16 as a matrix (size, size), mirrored at its ends."""
    matrix = np.zeros((size, size))
    for row in range(size):
        for offset, weight in zip(range(-2, 3), (1, 4, 6, 4, 1), strict=True):
            column = abs(row + offset)
            matrix[row, min(column, 2 * (size - 1) - column)] += weight / 16
    return matrix


def _halving(size: int) -> Float32:
    return _binomial(size)[::2].astype(np.float32)


def _doubling(size: int) -> Float32:
    return (2 * _binomial(size)[:, ::2]).astype(np.float32)


def patches(level: Float32, image: int, count: int, seed: tuple[int, ...]) -> Float32:
    """Return (count, 3, 7, 7) float32 patches of one image of a level (n, 3, h, w), at random."""
    windows = np.lib.stride_tricks.sliding_window_view(level[image], (PATCH, PATCH), axis=(1, 2))
    random = np.random.default_rng(seed)
    rows = random.integers(0, windows.shape[1], count)
    columns = random.integers(0, windows.shape[2], count)
    some: Float32 = windows[:, rows, columns].transpose(1, 0, 2, 3)
    return some


@on_one_thread
def sliced_wasserstein(x: Float32, y: Float32, seed: tuple[int, ...] = (0,)) -> float:
    """Return the sliced Wasserstein distance of patches (n, 3, 7, 7) and (n, 3, 7, 7), times 1000.

    Karras et al. 2018, arXiv 1710.10196, section 5: each channel of each set gets mean 0 and
    variance 1, the patches are projected onto `DIRECTIONS` random directions, and the mean absolute
    difference of the sorted projections is averaged. There are as many patches in both sets.
    """
    x, y = _normalised(x), _normalised(y)
    directions = np.random.default_rng(seed).standard_normal((x.shape[1], DIRECTIONS))
    directions = (directions / np.linalg.norm(directions, axis=0)).astype(np.float32)
    total = 0.0
    for start in range(0, DIRECTIONS, _SORTED_TOGETHER):
        some = directions[:, start : start + _SORTED_TOGETHER]
        a, b = np.sort((x @ some).T, axis=1), np.sort((y @ some).T, axis=1)
        total += float(np.abs(a - b).sum(dtype=np.float64))
    return 1000 * total / (DIRECTIONS * len(x))


def _normalised(x: Float32) -> Float32:
    axes = (0, 2, 3)
    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = x.std(axis=axes, keepdims=True, dtype=np.float64)
    scaled = (x - mean.astype(np.float32)) / np.maximum(deviation, 1e-12).astype(np.float32)
    flat: Float32 = scaled.reshape(len(x), -1)
    return flat
