# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact nearest neighbours of a few images among many, in pixels and in face embeddings.

The many come in blocks and are not kept, so there may be any number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ffgan import features
from ffgan.evaluation import metrics
from ffgan.images import resize
from ffgan.typing import RGB, Float64

Space: TypeAlias = Literal["pixels", "faces"]
SPACES: Final[tuple[Space, ...]] = get_args(Space)

SIDE: Final = 54
"""Images are compared in pixels at this side: each pixel the average of 3x3.

A copy may be blurred, sharpened, or off by a pixel; at 54x54 it is still a copy. It is also the
resolution of a warm start's codes, which could be memorised.
"""

_ROWS: Final = 512  # of a matrix of distances that is never there as a whole


@dataclass(frozen=True)
class Representations:
    """n images in both spaces: ``pixels`` (n, 8748) uint8, ``faces`` (n, 128) float32."""

    pixels: NDArray[np.uint8]
    faces: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pixels)


def concatenate(parts: list[Representations]) -> Representations:
    """Return the images of all parts, in order."""
    return Representations(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.faces for part in parts]),
    )


def represent(images: RGB, network: features.Network) -> Representations:
    """Represent images (n, 162, 162, 3) uint8 RGB in both spaces; ``network``: that of faces."""
    pixels = np.empty((len(images), SIDE, SIDE, 3), np.uint8)
    for row, image in zip(pixels, images, strict=True):
        row[:] = resize(image, SIDE)
    embeddings = network.extract(images) if len(images) else np.empty((0, 128), np.float32)
    return Representations(pixels.reshape(len(images), SIDE * SIDE * 3), embeddings)


def mirror(images: RGB) -> RGB:
    """Return images (n, h, w, 3), left and right exchanged."""
    return np.ascontiguousarray(images[:, :, ::-1])


@dataclass(frozen=True)
class Found:
    """What `NearestNeighbours` has found, by space."""

    distance: dict[Space, Float64]
    second: dict[Space, Float64]
    index: dict[Space, NDArray[np.int64]]
    mirrored: dict[Space, NDArray[np.bool_]]


class NearestNeighbours:
    """For each of n images the nearest and the second nearest of those compared so far.

    By space: ``distance`` and ``second`` (n,) float64, infinite where there is none yet; ``index``
    (n,) int64, -1 where none, and ``mirrored`` (n,) bool, of the nearest. Distances in pixels are
    root mean squares, with values from 0 to 1; those of faces are Euclidean, as
    `ffgan.faces.SAME_PERSON` is.
    """

    def __init__(self, images: Representations, own: NDArray[np.int64] | None = None) -> None:
        """``own``: the index at which each image itself will come, not to count, or -1."""
        self._images = images
        self._own = np.full(len(images), -1) if own is None else own
        self.distance = {space: np.full(len(images), np.inf) for space in SPACES}
        self.second = {space: np.full(len(images), np.inf) for space in SPACES}
        self.index = {space: np.full(len(images), -1) for space in SPACES}
        self.mirrored = {space: np.zeros(len(images), bool) for space in SPACES}

    def __len__(self) -> int:
        return len(self._images)

    def update(
        self, first: int, others: Representations, mirrored: Representations | None = None
    ) -> None:
        """Compare with images of the indices ``first``, ``first + 1``, ..., mirrored ones too.

        An image and its mirror image are one: the second nearest is another one.
        """
        if not len(others):
            return
        for space in SPACES:
            for start in range(0, len(self._images), _ROWS):
                rows = slice(start, start + _ROWS)
                self._update(space, rows, first, others, mirrored)

    def found(self) -> Found:
        """Return what was found so far, for `merge`."""
        return Found(self.distance, self.second, self.index, self.mirrored)

    def merge(self, parts: Sequence[Found]) -> None:
        """Take what was found among all images, of which each part has seen some."""
        for space in SPACES:
            distances = np.stack([part.distance[space] for part in parts])
            indices = np.stack([part.index[space] for part in parts])
            # Of equal ones the first image, as if all had come in order.
            best = np.lexsort((indices, distances), axis=0)[0]
            places = np.arange(distances.shape[1])
            mirrored = np.stack([part.mirrored[space] for part in parts])
            self.distance[space] = distances[best, places]
            self.index[space] = indices[best, places]
            self.mirrored[space] = mirrored[best, places]
            distances[best, places] = np.inf
            others = [distances, np.stack([part.second[space] for part in parts])]
            self.second[space] = np.concatenate(others).min(axis=0)

    def closeness(self, space: Space) -> Float64:
        """Return how far the nearest one is, as a share (n,) of the distance of the second."""
        second = self.second[space]
        # Two that are equal to the image: neither stands out.
        shares: Float64 = np.divide(
            self.distance[space], second, out=np.ones_like(second), where=second > 0
        )
        return shares

    @metrics.on_one_thread
    def _update(
        self,
        space: Space,
        rows: slice,
        first: int,
        others: Representations,
        mirrored: Representations | None,
    ) -> None:
        distances = _distances(space, self._images, rows, others)
        turned = np.zeros(distances.shape, bool)
        if mirrored is not None:
            theirs = _distances(space, self._images, rows, mirrored)
            turned = theirs < distances
            distances = np.minimum(distances, theirs)
        places = np.arange(len(distances))
        itself = self._own[rows] - first
        known = (itself >= 0) & (itself < distances.shape[1])
        distances[places[known], itself[known]] = np.inf
        best = distances.argmin(axis=1)
        nearest = distances[places, best].copy()
        distances[places, best] = np.inf
        another = distances.min(axis=1)
        before = self.distance[space][rows]
        nearer = nearest < before
        # Of the four, the smaller one of the two that are not the nearest.
        self.second[space][rows] = np.minimum(
            np.where(nearer, before, nearest), np.minimum(self.second[space][rows], another)
        )
        self.distance[space][rows] = np.where(nearer, nearest, before)
        self.index[space][rows] = np.where(nearer, first + best, self.index[space][rows])
        self.mirrored[space][rows] = np.where(
            nearer, turned[places, best], self.mirrored[space][rows]
        )


def _distances(
    space: Space, images: Representations, rows: slice, others: Representations
) -> Float64:
    """The matrix of distances; those in pixels are exact, as their squares are whole numbers."""
    x = getattr(images, space)[rows].astype(np.float64)
    y = getattr(others, space).astype(np.float64)
    own, theirs = np.einsum("ij,ij->i", x, x)[:, None], np.einsum("ij,ij->i", y, y)
    squared = own + theirs - 2 * (x @ y.T)
    # What rounding leaves of the distance between equal vectors.
    squared[squared < 1e-12 * (own + theirs)] = 0
    distances: Float64 = np.sqrt(squared)
    return distances / (255 * np.sqrt(x.shape[1])) if space == "pixels" else distances
