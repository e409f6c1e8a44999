# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, hair, light and background of a face in the training framing, by colours of CIELAB.

L* is the lightness, from 0 for black to 100 for white.
"""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ffgan.attributes import sharpness as detail
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float32, Float64

# A square below each eye: how far down from the eyes to the bottom of the nose its middle lies, and
# its side in distances between the eyes.
_DOWN: Final = 0.75
_SIDE: Final = 0.2

# Of 162x162 pixels, rows and columns. In docs/attributes.md is how these places were looked at.
_FACE: Final = (slice(50, 150), slice(34, 128))
_BACKGROUND: Final = ((slice(0, 30), slice(0, 10)), (slice(0, 30), slice(152, 162)))

# Above and beside the forehead: column and row of the corners of the left part, mirrored on the
# right, and the upper border between them.
_TEMPLE: Final = ((18, 0), (46, 0), (30, 22), (20, 50), (8, 62), (6, 30))
_TEMPLE_ROWS: Final = 63
_ABOVE: Final = (slice(0, 6), slice(30, 132))

# Skin beside which hair is told apart: both cheeks and the forehead.
_SKIN: Final = (
    (slice(70, 100), slice(40, 60)),
    (slice(70, 100), slice(102, 122)),
    (slice(25, 40), slice(60, 102)),
)
_OTHER_THAN_SKIN: Final = 14.0
"""From this difference of colour on it is no skin; lightness, which shade changes, counts less."""

_LEAST_HAIR: Final = 0.3
"""The share of the place of the hair that has to be other than skin."""

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
    """Return the median L* of what is not skin above and beside the forehead.

    That is hair on most faces; else a hat, or what is behind a bald head. NaN where almost all of
    it is skin.
    """
    skin = np.median(np.concatenate([lab(face[place]) for place in _SKIN]), axis=0)
    colours = lab(face[:_TEMPLE_ROWS])[_hair_places()]
    away = (colours - skin) * np.array([0.7, 1.0, 1.0], np.float32)
    hair = colours[np.einsum("ij,ij->i", away, away) > _OTHER_THAN_SKIN**2]
    return float(np.median(hair[:, 0])) if len(hair) > _LEAST_HAIR * len(colours) else math.nan


@functools.cache
def _hair_places() -> NDArray[np.intp]:
    """The numbers of the pixels where hair is, in the first rows of a face."""
    import cv2

    left = np.array(_TEMPLE, np.int32)
    mask = cv2.fillPoly(np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8), [left], [1])
    mask = np.maximum(mask, mask[:, ::-1])
    mask[_ABOVE] = 1
    return np.flatnonzero(mask[:_TEMPLE_ROWS])


def background(face: RGB) -> float:
    """Return L* of the background: the mean of the medians of both upper corners."""
    return float(np.mean([np.median(lightness(face[corner])) for corner in _BACKGROUND]))


def sharpness(face: RGB) -> float:
    """Return how sharp the face is from the brows to the chin; see `ffgan.attributes.sharpness`."""
    return detail.sharpness(detail.luma(face[_FACE]))
