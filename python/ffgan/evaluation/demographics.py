# SPDX-License-Identifier: GPL-3.0-or-later
"""Demographics of a set of faces: skin tone as it appears in the image, and head pose.

Shares of such groups beside the real images' tell which ones a model shows too often or too seldom.
The tone is the individual typology angle (Chardon et al. 1991), taken from the cheeks. It does
not allow for the light: a dim image counts as darker skin, in both sets alike.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffgan import faces
from ffgan.faces import pose
from ffgan.typing import RGB, Float32

TONES: Final = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -math.inf,
}
"""Six groups (Del Bino and Bernerd 2013) and the angle, in degrees, above which each begins."""

TURNED: Final = 15.0
"""Degrees of yaw beyond which a head counts as turned."""

# A square below each eye: how far down from the eyes to the bottom of the nose its middle lies, and
# its side in distances between the eyes.
_DOWN: Final = 0.75
_SIDE: Final = 0.2


class Attributes(NamedTuple):
    """``tone``: the individual typology angle; ``yaw``: see `ffgan.faces.pose`. In degrees."""

    tone: float
    yaw: float


UNKNOWN: Final = Attributes(math.nan, math.nan)


def attributes(image: RGB, boxes: list[faces.Box]) -> Attributes:
    """Return the attributes of the largest of the faces found in an image, `UNKNOWN` without one.

    ``image`` (h, w, 3) uint8 RGB. Raises `ffgan.ExtraError` without the extra's landmarks.
    """
    if not boxes:
        return UNKNOWN
    box = max(boxes, key=lambda box: (box.right - box.left) * (box.bottom - box.top))
    points = faces.landmarks(image, [box], count=5)[0]
    return Attributes(skin_tone(image, points), pose.pose(points).yaw)


def skin_tone(image: RGB, points: NDArray[np.int64]) -> float:
    """Return the individual typology angle, in degrees, of the cheeks below the eyes.

    ``image`` (h, w, 3) uint8 RGB, ``points`` its five landmarks (5, 2), column and row. The angle
    is atan((L - 50) / b) of CIELAB, of the median colour of each cheek, averaged over both. NaN
    where both lie outside.
    """
    import cv2

    nose = points[4].astype(float)
    eyes = [points[:2].mean(axis=0), points[2:4].mean(axis=0)]
    half = max(1.0, _SIDE * float(np.hypot(*(eyes[0] - eyes[1]))) / 2)
    middle = (eyes[0] + eyes[1]) / 2
    angles = []
    for eye in eyes:
        column, row = eye + _DOWN * (nose - middle)
        top, left = max(0, round(row - half)), max(0, round(column - half))
        patch = image[top : max(0, round(row + half)), left : max(0, round(column + half))]
        if patch.size == 0:
            continue
        lab = cv2.cvtColor(np.ascontiguousarray(patch, np.float32) / 255.0, cv2.COLOR_RGB2LAB)
        light, _, blue_to_yellow = np.median(lab.reshape(-1, 3), axis=0)
        angles.append(
            math.degrees(math.atan2(float(light) - 50.0, max(float(blue_to_yellow), 1e-3)))
        )
    return float(np.mean(angles)) if angles else math.nan


def shares(tone: Float32, yaw: Float32) -> dict[str, float]:
    """Return the share of each group among those faces, of (n,) each, in which one was found.

    The tones' shares add up to 1; "turned" is the share of heads beyond `TURNED`. All are 0
    where there is no face.
    """
    known = tone[np.isfinite(tone)]
    turned = np.abs(yaw[np.isfinite(yaw)]) > TURNED
    result, above = {}, math.inf
    for name, begins in TONES.items():
        inside = (known > begins) & (known <= above)
        result[name] = float(np.mean(inside)) if len(known) else 0.0
        above = begins
    result["turned"] = float(np.mean(turned)) if len(turned) else 0.0
    return result
