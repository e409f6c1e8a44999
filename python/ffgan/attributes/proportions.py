# SPDX-License-Identifier: GPL-3.0-or-later
"""Ratios between landmarks: smile, mouth, eyes, brows and width of the face.

Points are taken upright, in distances between the middles of the eyes, so that neither size nor
leaning counts. What a turned head foreshortens is stretched by the cosine of its yaw.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ffgan.typing import Float64

_LEFT_EYE: Final = (36, 37, 38, 39, 40, 41)
_RIGHT_EYE: Final = (42, 43, 44, 45, 46, 47)

# Of the training images, by what `smile` adds up: 5 and 95 of a hundred are below these.
_NO_SMILE: Final = 0.76
_BROAD_SMILE: Final = 1.10


def upright(points: Float64, yaw: float = 0.0) -> Float64:
    """Return the landmarks (68, 2) from the middle of the eyes, the axes along and across these.

    In distances between the eyes, as they would be seen from the front of a head that is turned by
    ``yaw`` degrees.
    """
    left, right = points[list(_LEFT_EYE)].mean(axis=0), points[list(_RIGHT_EYE)].mean(axis=0)
    across = right - left
    distance = max(float(np.hypot(*across)), 1e-6)
    x, y = across / distance
    turned = (points - (left + right) / 2) @ np.array([[x, -y], [y, x]]) / distance
    turned[:, 1] *= math.cos(math.radians(yaw))
    return np.asarray(turned, np.float64)


def smile(face: Float64) -> float:
    """Return 0 for none and 1 for a broad smile, by the `upright` landmarks (68, 2).

    How wide the mouth is, and by how much its corners are higher than its upper lip.
    """
    width = math.dist(face[48], face[54])
    lift = (face[51, 1] + face[62, 1] - face[48, 1] - face[54, 1]) / 2
    return (width + float(lift) - _NO_SMILE) / (_BROAD_SMILE - _NO_SMILE)


def mouth_open(face: Float64) -> float:
    """Return the gap between the lips by the distance between the eyes."""
    return float(face[66, 1] - face[62, 1])


def eye_open(face: Float64) -> float:
    """Return the height of the eyes by their width (Soukupova and Cech 2016), of both the mean."""
    ratios = []
    for outer, above, above_too, inner, below_too, below in (_LEFT_EYE, _RIGHT_EYE):
        height = math.dist(face[above], face[below]) + math.dist(face[above_too], face[below_too])
        ratios.append(height / 2 / max(math.dist(face[outer], face[inner]), 1e-6))
    return sum(ratios) / 2


def brow_height(face: Float64) -> float:
    """Return how high the brows are above the eyes, by the distance between the eyes."""
    return -float(face[17:27, 1].mean())


def face_width(face: Float64) -> float:
    """Return the width between the ears by the height from the eyes to the chin, mouth closed."""
    height = face[8, 1] - face[27, 1] - mouth_open(face)
    return float((face[15, 0] - face[1, 0]) / max(float(height), 1e-6))
