# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose of a head: the rotation that puts a head's points in space where its landmarks are.

The head is an average one. Its points were found in the landmarks of 600 training images, seen as
one rigid body from many sides (Tomasi and Kanade 1992, "Shape and motion from image streams under
orthography"). Faces differ, which flattens a body found so: its depth is stretched until the bottom
of the nose lies 0.34 of the distance between the outer corners of the eyes before these, as heads
measured by hand have it (Farkas 1994, "Anthropometry of the head and face").
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import Float64

# By the number of the landmark: right and down in the image, and away from the viewer, in distances
# between the outer corners of the eyes. Neither brows, mouth nor jaw: these move with the face.
_HEAD: Final = {
    27: (0.0, 0.0, 0.0),
    28: (0.0, 0.139, -0.076),
    29: (0.0, 0.276, -0.158),
    30: (0.0, 0.418, -0.239),
    31: (-0.171, 0.504, -0.011),
    33: (0.0, 0.559, -0.083),
    35: (0.171, 0.504, -0.011),
    36: (-0.5, 0.028, 0.252),
    39: (-0.212, 0.044, 0.193),
    42: (0.212, 0.044, 0.193),
    45: (0.5, 0.028, 0.252),
}
_NUMBERS: Final = list(_HEAD)
_POINTS: Final = np.array(list(_HEAD.values()), np.float64)

# A face as wide as this sees a camera at a metre and a half.
_FOCAL_LENGTH: Final = 8.0 * IMAGE_SIZE


class HeadPose(NamedTuple):
    """In degrees. ``yaw``: to the right in the image; ``pitch``: down; ``roll``: clockwise.

    The head is first lowered, then turned, then leant, so that turning the picture in its plane
    changes ``roll`` only. All are 0 for the average face of the training set.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(points: Float64) -> HeadPose:
    """Return the pose of a head by its landmarks (68, 2) in the training framing, by solvePnP."""
    import cv2

    middle = (IMAGE_SIZE - 1) / 2
    camera = np.array([[_FOCAL_LENGTH, 0, middle], [0, _FOCAL_LENGTH, middle], [0, 0, 1]])
    seen = np.ascontiguousarray(points[_NUMBERS])
    # From a head that looks ahead: there is a second, hollow solution on the other side.
    width = float(np.hypot(*(points[45] - points[36])))
    depth = _FOCAL_LENGTH / max(width, 1.0)
    start = (points[27] - middle) / _FOCAL_LENGTH * depth
    _, turned, _ = cv2.solvePnP(
        _POINTS,
        seen,
        camera,
        None,
        np.zeros((3, 1)),
        np.array([[start[0]], [start[1]], [depth]]),
        useExtrinsicGuess=True,
        flags=cv2.SOLVEPNP_ITERATIVE,
    )
    rotation = cv2.Rodrigues(turned)[0]
    return HeadPose(
        math.degrees(math.asin(max(-1.0, min(1.0, float(rotation[2, 0]))))),
        math.degrees(math.atan2(rotation[2, 1], rotation[2, 2])),
        math.degrees(math.atan2(rotation[1, 0], rotation[0, 0])),
    )
