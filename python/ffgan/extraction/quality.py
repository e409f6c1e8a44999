# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality of a face for training: what is measured of it, and the reasons to leave it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from ffgan.attributes import sharpness
from ffgan.extraction.settings import Settings
from ffgan.faces.pose import Pose
from ffgan.typing import RGB

_FACE: Final = slice(30, 120)  # of an aligned face of 150 pixels: from the brows to the mouth


class Appearance(NamedTuple):
    """The appearance of an aligned face.

    ``sharpness``: see `ffgan.attributes.sharpness`. ``light`` and ``contrast``: mean and standard
    deviation of the luma, 0 to 255. ``colour``: the mean difference of a pixel's largest and
    smallest channel, 0 to 255.
    """

    sharpness: float
    light: float
    contrast: float
    colour: float


def appearance(face: RGB) -> Appearance:
    """Measure a face (150, 150, 3) uint8 RGB that `ffgan.faces.align` made."""
    colour = face[_FACE, _FACE]
    luma = sharpness.luma(colour)
    span = colour.max(axis=2).astype(np.int16) - colour.min(axis=2)
    return Appearance(
        round(sharpness.sharpness(luma), 3),
        round(float(luma.mean()), 1),
        round(float(luma.std()), 1),
        round(float(span.mean()), 1),
    )


GREY: Final = 8.0
"""A face of less colour is grey; a JPEG of a grey image has about 1, skin 20 and more."""

REASONS: Final = (
    "too small",
    "cut by the border",
    "turned away",
    "on its side",
    "unclear",
    "blurred",
    "badly lit",
    "grey",
)


def fault(
    side: float,
    outside: float,
    pose: Pose,
    appearance: Appearance,
    settings: Settings,
    *,
    turned: bool = False,
    fits: bool = True,
) -> str:
    """Return the first of `REASONS` to leave a face out, or nothing.

    ``side`` of the square that becomes the chip, in pixels of the photograph; ``outside``: the
    share of it beyond the photograph; ``turned``: it lies by a quarter turn or more; ``fits``: its
    landmarks do.
    """
    limit, seen = settings, appearance
    tests: dict[str, Callable[[], bool]] = {
        "too small": lambda: side < limit.least_size,
        "cut by the border": lambda: outside > limit.max_outside,
        "turned away": lambda: abs(pose.yaw) > limit.max_yaw or abs(pose.pitch) > limit.max_pitch,
        "on its side": lambda: turned and settings.rotate == "never",
        "unclear": lambda: not fits,
        "blurred": lambda: seen.sharpness < limit.min_sharpness,
        "badly lit": lambda: (
            not limit.min_light <= seen.light <= limit.max_light
            or seen.contrast < limit.min_contrast
        ),
        "grey": lambda: not limit.grey and seen.colour < GREY,
    }
    return next((reason for reason in REASONS if tests[reason]()), "")
