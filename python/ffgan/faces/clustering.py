# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of vectors: embeddings by person, by Chinese whispers, and groups of near pairs.

As in dlib's dnn_face_recognition_ex: faces whose embeddings are near each other are linked, and
each takes the label that most of its links have, until nothing changes (Biemann 2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ffgan import _core
from ffgan.faces.recognition import SAME_PERSON
from ffgan.typing import Float32, Int64

_BLOCK: Final = 2048


def cluster(embeddings: Float32, *, distance: float = SAME_PERSON) -> Int64:
    """Return a person's number for each of (n, 128) embeddings, (n,) int64: 0 has most faces.

    Faces nearer than ``distance`` are linked. The numbers follow from the embeddings alone.
    """
    pairs = near(embeddings, distance)
    labels = _core.cluster_faces(len(embeddings), pairs)
    _, first, label, count = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(count), np.int64)
    rank[np.lexsort((first, -count))] = np.arange(len(count))
    return rank[label]


def near(vectors: Float32, distance: float) -> Int64:
    """Return the pairs i < j of rows of (n, d) that are nearer than ``distance``: (m, 2) int64."""
    found = list(_near_blocks(np.ascontiguousarray(vectors, np.float32), distance))
    return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def _near_blocks(vectors: Float32, distance: float) -> Iterator[Int64]:
    squares = np.einsum("ij,ij->i", vectors, vectors)
    for i in range(0, len(vectors), _BLOCK):
        for j in range(i, len(vectors), _BLOCK):
            apart = vectors[i : i + _BLOCK] @ vectors[j : j + _BLOCK].T
            apart *= -2
            apart += squares[i : i + _BLOCK, None]
            apart += squares[None, j : j + _BLOCK]
            first, second = np.nonzero(apart < distance**2)
            pairs = np.column_stack([first + i, second + j])
            yield pairs[pairs[:, 0] < pairs[:, 1]]


def groups(count: int, pairs: Int64) -> list[list[int]]:
    """Return the numbers below ``count`` in groups that the pairs connect, each in its order."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in pairs.tolist():
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    together: dict[int, list[int]] = {}
    for i in range(count):
        together.setdefault(root(i), []).append(i)
    return list(together.values())
