# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, hair, light and background of a face in the training framing, by colours of CIELAB.

L* is the lightness, from 0 for black to 100 for white.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ffgan.typing import RGB, Float32, Float64

# A square below each eye: how far down from the eyes to the bottom of the nose its middle lies, and
# its side in distances between the eyes.
_DOWN: Final = 0.75
_SIDE: Final = 0.2

# Of 162x162 pixels, rows and columns. In docs/attributes.md is how these places were looked at.
_FACE: Final = (slice(50, 150), slice(34, 128))
_HAIR: Final = (slice(0, 6), slice(41, 121))
_BACKGROUND: Final = ((slice(0, 30), slice(0, 10)), (slice(0, 30), slice(152, 162)))

_COLOURLESS: Final = 3.0
"""A face whose cheeks have less chroma than this is taken for grey; skin has 10 and more."""


def lab(patch: RGB) -> Float32:
    """Return the colours of (rows, columns, 3) uint8 RGB in CIELAB, as (pixels, 3) float32."""
    import cv2

    scaled = np.ascontiguousarray(patch, np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB).reshape(-1, 3), np.float32)


def lightness(patch: RGB) -> Float32:
    """Return L* of (rows, columns, 3) uint8 RGB, (rows, columns) float32."""
    return lab(patch)[:, 0].reshape(patch.shape[:2])


def skin_tone(image: RGB, points: Float64) -> float:
    """Return the individual typology angle (Chardon et al. 1991) of the cheeks, in degrees.

    ``image`` (h, w, 3) uint8 RGB, ``points`` its five landmarks (5, 2), column and row. The angle
    is atan((L* - 50) / b*) of the median colour of each cheek, below the eyes, averaged over both.
    It does not allow for the light: a dim image counts as darker skin. NaN for a grey picture, and
    where both cheeks lie outside.
    """
    nose = points[4].astype(float)
    eyes = [points[:2].mean(axis=0), points[2:4].mean(axis=0)]
    half = max(1.0, _SIDE * float(np.hypot(*(eyes[0] - eyes[1]))) / 2)
    middle = (eyes[0] + eyes[1]) / 2
    angles, chromas = [], []
    for eye in eyes:
        column, row = eye + _DOWN * (nose - middle)
        top, left = max(0, round(row - half)), max(0, round(column - half))
        patch = image[top : max(0, round(row + half)), left : max(0, round(column + half))]
        if patch.size == 0:
            continue
        light, green_to_red, blue_to_yellow = np.median(lab(patch), axis=0).tolist()
        angles.append(math.degrees(math.atan2(light - 50.0, max(blue_to_yellow, 1e-3))))
        chromas.append(math.hypot(green_to_red, blue_to_yellow))
    if not angles or max(chromas) < _COLOURLESS:
        return math.nan
    return float(np.mean(angles))


def brightness(face: RGB) -> float:
    """Return the mean L* of the face, from the brows to the chin."""
    return float(lightness(face[_FACE]).mean())


def light(face: RGB) -> float:
    """Return by how much L* the face is lighter on the right in the image than on the left."""
    halves = lightness(face[_FACE])
    middle = halves.shape[1] // 2
    return float(halves[:, middle:].mean() - halves[:, :middle].mean())


def hair_lightness(face: RGB) -> float:
    """Return the median L* of what is above the forehead, at the upper border of the picture."""
    return float(np.median(lightness(face[_HAIR])))


def background(face: RGB) -> float:
    """Return L* of the background: the mean of the medians of both upper corners."""
    return float(np.mean([np.median(lightness(face[corner])) for corner in _BACKGROUND]))


def sharpness(face: RGB) -> float:
    """Return by how much less detail the face has when it is blurred once more.

    The blur effect (Crete et al. 2007): what another blur takes away was sharp.
    """
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(face[_FACE]), cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(grey, (5, 5), 1.0)
    fine, left = (max(float(cv2.Laplacian(one, cv2.CV_32F).var()), 0.25) for one in (grey, blurred))
    return math.sqrt(fine / left)
