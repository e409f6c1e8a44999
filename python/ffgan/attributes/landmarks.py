# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmarks of a face in the training framing, where it lies at a known place.

No detector is needed. A shape predictor starts from a box, here always that in which dlib's frontal
detector finds such faces, in the median of 600. docs/attributes.md has how well the points agree
with those of a detector's box, and how much the mirror image adds.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ffgan.faces.dlib_files import shape_predictor
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float64

BOX: Final = (24.0, 25.0, 148.0, 149.0)
"""Where dlib's frontal detector finds a face: left, top, right and bottom, middles of pixels."""

# The point of a face that is each point of its mirror image.
_MIRRORED: Final = {
    5: np.array([2, 3, 0, 1, 4]),
    68: np.array(
        [
            *[16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],  # the jaw
            *[26, 25, 24, 23, 22, 21, 20, 19, 18, 17],  # the brows
            *[27, 28, 29, 30, 35, 34, 33, 32, 31],  # the nose
            *[45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40],  # the eyes
            *[54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55],  # the lips, outside
            *[64, 63, 62, 61, 60, 67, 66, 65],  # and inside
        ]
    ),
}


def find(face: RGB, count: int, *, robust: bool) -> Float64:
    """Return the 5 or 68 landmarks of a face (162, 162, 3) uint8 RGB: (count, 2) float64.

    Column and row in pixels, as in `ffgan.faces.landmarks`, but with fractions. ``robust``: the
    mean of those of the face and of its mirror image, at twice the time. Raises `ExtraError`.
    """
    points = _find(face, count)
    if robust:
        points = (points + mirrored(_find(face[:, ::-1], count))) / 2
    return points


def mirrored(points: Float64) -> Float64:
    """Return the landmarks of a face by those of its mirror image, and the other way round."""
    other = points[_MIRRORED[len(points)]]
    return np.stack([IMAGE_SIZE - 1 - other[:, 0], other[:, 1]], axis=1)


def _find(face: RGB, count: int) -> Float64:
    [points] = shape_predictor(None, count).locate(np.ascontiguousarray(face), np.array([BOX]))
    return np.asarray(points, np.float64)
