# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality of a face for training: what is measured of it, and the reasons to leave it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffgan.extraction.settings import Settings
from ffgan.faces.pose import Pose
from ffgan.typing import RGB

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_FACE: Final = slice(30, 120)  # of an aligned face of 150 pixels: from the brows to the mouth
_REBLUR: Final = np.array([0.06136, 0.24477, 0.38774, 0.24477, 0.06136], np.float32)  # sigma 1
_ROUNDING: Final = 2.0
"""About the variance that rounding to whole levels leaves in a Laplacian."""


class Appearance(NamedTuple):
    """The appearance of an aligned face.

    ``sharpness``: 2.1 to 3.1 where every pixel tells something new, 1.3 and less when blurred.
    ``light`` and ``contrast``: mean and standard deviation of the luma, 0 to 255. ``colour``: the
    mean difference of a pixel's largest and smallest channel, 0 to 255.
    """

    sharpness: float
    light: float
    contrast: float
    colour: float


def appearance(face: RGB) -> Appearance:
    """Measure a face (150, 150, 3) uint8 RGB that `ffgan.faces.align` made."""
    colour = face[_FACE, _FACE]
    luma = colour.astype(np.float32) @ _LUMA
    # The blur effect (Crete et al. 2007): what another blur takes away was sharp.
    fine = max(float(_laplacian(luma).var()) - _ROUNDING, 0.0)
    left = max(float(_laplacian(_blurred(luma)).var()), _ROUNDING / 8)
    span = colour.max(axis=2).astype(np.int16) - colour.min(axis=2)
    return Appearance(
        round((fine / left) ** 0.5, 3),
        round(float(luma.mean()), 1),
        round(float(luma.std()), 1),
        round(float(span.mean()), 1),
    )


def _laplacian(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    middle = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return np.asarray(4 * middle - around, np.float32)


def _blurred(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    for axis in (0, 1):
        padded = np.pad(luma, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        parts = (
            weight * np.take(padded, range(i, i + luma.shape[axis]), axis)
            for i, weight in enumerate(_REBLUR)
        )
        luma = np.asarray(sum(parts), np.float32)
    return luma


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
