# SPDX-License-Identifier: GPL-3.0-or-later
"""How sharp a picture is, by how much of its detail another blur takes (Crete et al. 2007)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ffgan.typing import RGB, Float32

_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_REBLUR: Final = np.array([0.06136, 0.24477, 0.38774, 0.24477, 0.06136], np.float32)  # sigma 1
_ROUNDING: Final = 2.0
"""About the variance that rounding to whole levels leaves in a Laplacian."""


def luma(image: RGB) -> Float32:
    """Return the luma of (..., 3) uint8 RGB, 0 to 255, as (...) float32."""
    return np.asarray(image.astype(np.float32) @ _LUMA, np.float32)


def sharpness(luma: Float32) -> float:
    """Return the detail of a picture's luma (rows, columns), 0 to 255, by that of it blurred.

    2.1 to 3.1 where every pixel tells something new, 1.3 and less when blurred.
    """
    fine = max(float(_laplacian(luma).var()) - _ROUNDING, 0.0)
    left = max(float(_laplacian(_blurred(luma)).var()), _ROUNDING / 8)
    return math.sqrt(fine / left)


def _laplacian(luma: Float32) -> Float32:
    middle = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return np.asarray(4 * middle - around, np.float32)


def _blurred(luma: Float32) -> Float32:
    for axis in (0, 1):
        padded = np.pad(luma, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        parts = (
            weight * np.take(padded, range(i, i + luma.shape[axis]), axis)
            for i, weight in enumerate(_REBLUR)
        )
        luma = np.asarray(sum(parts), np.float32)
    return luma
