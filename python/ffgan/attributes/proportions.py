# SPDX-License-Identifier: GPL-3.0-or-later
"""Ratios between landmarks: smile, mouth, eyes, brows and width of the face.

Points are taken upright, in distances between the middles of the eyes, so that neither size nor
leaning counts. Where a turned or lowered head moves a ratio, its pose is taken into account.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ffgan.typing import Float64

_LEFT_EYE: Final = (36, 37, 38, 39, 40, 41)
_RIGHT_EYE: Final = (42, 43, 44, 45, 46, 47)

# What `smile` adds up in the training images: 5 and 95 of a hundred are below these.
_NO_SMILE: Final = 0.80
_BROAD_SMILE: Final = 1.36

# In distances between the eyes: how far the corners of the mouth lie behind the middle of the lips,
# and the brows before the eyes. When the head is lowered, what lies behind seems higher.
_CORNERS_BEHIND: Final = 0.27
_BROWS_BEFORE: Final = 0.15


def upright(points: Float64) -> Float64:
    """Return the landmarks (68, 2) from the middle of the eyes, the axes along and across these.

    In distances between the middles of the eyes.
    """
    left, right = points[list(_LEFT_EYE)].mean(axis=0), points[list(_RIGHT_EYE)].mean(axis=0)
    across = right - left
    distance = max(float(np.hypot(*across)), 1e-6)
    x, y = across / distance
    turned = (points - (left + right) / 2) @ np.array([[x, -y], [y, x]]) / distance
    return np.asarray(turned, np.float64)


def unturned(face: Float64, yaw: float) -> Float64:
    """Return the `upright` landmarks, the heights as a head that looks ahead has them.

    One that is turned by ``yaw`` degrees shows the eyes nearer to each other.
    """
    return face * [1.0, math.cos(math.radians(yaw))]


def smile(face: Float64, pitch: float) -> float:
    """Return 0 for none and 1 for a broad smile, by the `unturned` landmarks (68, 2).

    How wide the mouth is, and twice by how much its corners are higher than the middle between the
    lips, on a head that is lowered by ``pitch`` degrees. Linear, so it may be below 0 and above 1.
    """
    width = math.dist(face[48], face[54])
    lift = float(face[62, 1] + face[66, 1] - face[48, 1] - face[54, 1]) / 2
    lift -= _CORNERS_BEHIND * math.sin(math.radians(pitch))
    return (width + 2 * lift - _NO_SMILE) / (_BROAD_SMILE - _NO_SMILE)


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


def brow_height(face: Float64, pitch: float) -> float:
    """Return how high the brows are above the eyes, by the distance between the eyes.

    On a head that is lowered by ``pitch`` degrees.
    """
    return _BROWS_BEFORE * math.sin(math.radians(pitch)) - float(face[17:27, 1].mean())


def face_width(face: Float64) -> float:
    """Return the width of the jaw by the height from the eyes to the chin.

    By the `upright` landmarks: the outline of a turned head is as wide.
    """
    return float((face[14, 0] - face[2, 0]) / max(float(face[8, 1] - face[27, 1]), 1e-6))
