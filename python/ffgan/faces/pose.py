# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose, estimated from the corners of the eyes and the bottom of the nose.

The five points of an average face stand in space; where the nose lies between the eyes tells by how
much it is turned. Noses differ, so the angles are good to some ten degrees: enough to tell a
frontal face from one that is turned away.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# From one outer corner of the eyes to the other 0.739, as in dlib's average face; from their middle
# to the bottom of the nose 0.414 down, there too, and 0.25 forward, from head measurements (Farkas
# 1994).
_EYES: Final = 0.739
_DOWN: Final = 0.414
_FORWARD: Final = 0.25

# In the order of dlib's five points: of 68, the outer and inner corner of the eye at the right, of
# the eye at the left, and the bottom of the nose.
FIVE_OF_68: Final = (45, 42, 36, 39, 33)


class Pose(NamedTuple):
    """In degrees. ``yaw``: to the right in the image; ``pitch``: down; ``roll``: clockwise."""

    yaw: float
    pitch: float
    roll: float


def five(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the five points among (5 or 68, 2)."""
    return points if len(points) == 5 else points[list(FIVE_OF_68)]


def pose(points: NDArray[np.int64]) -> Pose:
    """Return the pose of a head by its landmarks (5 or 68, 2), column and row."""
    right, _, left, _, nose = five(points).astype(float)
    across = right - left
    width = max(float(np.hypot(*across)), 1e-9)
    along = across / width
    fall = nose - (left + right) / 2
    beside = float(fall @ along) / width * _EYES
    below = float(fall @ (-along[1], along[0])) / width * _EYES
    yaw = math.atan2(beside, _FORWARD)
    # The eyes seem nearer to each other on a turned head; the nose does not seem higher.
    below *= math.cos(yaw)
    reach = math.hypot(_DOWN, _FORWARD)
    pitch = math.atan2(_FORWARD, _DOWN) - math.acos(max(-1.0, min(1.0, below / reach)))
    roll = math.atan2(along[1], along[0])
    return Pose(*(round(math.degrees(angle), 1) for angle in (yaw, pitch, roll)))
