# SPDX-License-Identifier: GPL-3.0-or-later
"""Demographics of a set of faces: skin tone as it appears in the image, and head pose.

Shares of such groups beside the real images' tell which ones a model shows too often or too seldom.
The tone is `ffgan.attributes.colours.skin_tone`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from ffgan import faces
from ffgan.attributes import ATTRIBUTES
from ffgan.attributes.colours import skin_tone
from ffgan.faces import pose
from ffgan.typing import RGB, Float32

_TONE: Final = ATTRIBUTES["tone"]
TONES: Final = {name: _TONE.range_of(name)[0] for name in reversed(_TONE.choices)}
"""Six groups (Del Bino and Bernerd 2013) and the angle, in degrees, from which on each begins."""

TURNED: Final = 15.0
"""Degrees of yaw beyond which a head counts as turned."""


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
    return Attributes(skin_tone(image, points.astype(np.float64)), pose.pose(points).yaw)


def shares(tone: Float32, yaw: Float32) -> dict[str, float]:
    """Return the share of each group among those faces, of (n,) each, in which one was found.

    The tones' shares add up to 1; "turned" is the share of heads beyond `TURNED`. All are 0
    where there is no face.
    """
    known = tone[np.isfinite(tone)]
    turned = np.abs(yaw[np.isfinite(yaw)]) > TURNED
    result, above = {}, math.inf
    for name, begins in TONES.items():
        inside = (known >= begins) & (known < above)
        result[name] = float(np.mean(inside)) if len(known) else 0.0
        above = begins
    result["turned"] = float(np.mean(turned)) if len(turned) else 0.0
    return result
