# SPDX-License-Identifier: GPL-3.0-or-later
"""How much neighbouring pixels differ at the four sides of images: whether they have a frame.

A generator's outermost pixels come from fewer taps of its last transposed convolution than the
others. Rows that differ more from the next ones than those of real images, and are more even in
themselves, show as a frame.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ffgan.attributes import sharpness
from ffgan.typing import RGB, Float64

PLACES: Final = 3
"""The outermost rows and columns of each side that are measured."""

SIDES: Final = ("top", "bottom", "left", "right")
WAYS: Final = ("across", "along")
"""From a row to the next one further in, and from a pixel of a row to the next one of that row."""

SHAPE: Final = (len(WAYS), len(SIDES), PLACES)


def differences(images: RGB) -> Float64:
    """Return the mean absolute differences of luma of images (n, h, w, 3) uint8, 0 to 255.

    They have the shape `SHAPE`: by way, side and place, the outermost place first.
    """
    luma = sharpness.luma(images)
    turned = luma.transpose(0, 2, 1)
    means = np.empty(SHAPE)
    for side, rows in enumerate((luma, luma[:, ::-1], turned, turned[:, ::-1])):
        outer = rows[:, : PLACES + 1]
        across = np.abs(np.diff(outer, axis=1))
        along = np.abs(np.diff(outer[:, :PLACES], axis=2))
        means[:, side] = [each.mean(axis=(0, 2), dtype=np.float64) for each in (across, along)]
    return means


def compare(samples: Float64, real: Float64) -> dict[str, Any]:
    """Return the differences of two sets, and their ratios, by way and side, as JSON's types.

    A ratio is None where the real images do not differ.
    """

    def named(values: Any) -> dict[str, Any]:
        return {
            way: {side: values[w][s] for s, side in enumerate(SIDES)} for w, way in enumerate(WAYS)
        }

    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(real > 0, samples / real, np.nan)
    known = [[[None if np.isnan(r) else r for r in s] for s in w] for w in ratios.tolist()]
    return {
        "samples": named(samples.tolist()),
        "real": named(real.tolist()),
        "ratio": named(known),
    }
