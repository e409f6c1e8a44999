# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a face in the training framing wears glasses, by the edges around its eyes.

A logistic regression on histograms of gradient directions (Dalal and Triggs 2005), which
tools/fit_glasses.py fits to training images that were looked at. It is the same for a mirror image.
"""

from __future__ import annotations

import base64
import functools
import math
from typing import Final

import numpy as np

from ffgan.typing import RGB, Float32

_AROUND_THE_EYES: Final = (slice(45, 99), slice(18, 144))
_CELL: Final = 9  # pixels
_DIRECTIONS: Final = 8  # of half a turn

SHAPE: Final = (6, 14, _DIRECTIONS)
"""Rows and columns of cells, and directions."""

# Of each feature, float16, and the constant.
_WEIGHTS: Final = (
    "MrSSMZq0M6qWoUmvbbPBuHowCrJmqiaNEKTosM2xI6/jKBAKPDBULUe0NS2uKoMsiS/rL6WuObRvox8lVKsTMfmo"
    "Ma/NqCqspTe5NIut0yxjMowuJTJKnmAsbbV8s3ozazEWM9U0EjCcNAoySrPYrmsx2K5KswoynDQSMNU0FjNjMnoz"
    "fLNttWAsSp4lMowu+ajTLIutuTSlNyqszagxr4kvEzFUqx8lb6M5tKWu6y/jKIMsrio1LUe0VC08MBAKejAjr82x"
    "6LAQpCaNZqoKsjK0wbhts0mvlqEzqpq0kjFyrnewAC6VN/I6QzwgOhkzzbHhILs28DdYOL80tRQRIXiwiKr/tyO3"
    "grJrpMQog6+jpQgsBSQwNJGwtK9xrZywHKimMbOxx7IVNTG08LKBrju0dLQGLZIwOjMZsHq0HbCPLkWzKq8ZNas1"
    "hjSkMpoxjy6aMaQyhjSrNRk1Kq9Fszu0HbB6tBmwOjOSMAYtdLQcqIGu8LIxtBU1x7KzsaYxo6WcsHGttK+RsDA0"
    "BSQILHiwg6/EKGukgrIjt/+3iKrNsREhtRS/NFg48De7NuEgcq4ZMyA6QzzyOpU3AC53sAqphCygL7A0JzVrOBc1"
    "Wjfkq6KrBzTONWIsHTFENWY1zrQgrXkhdDEpuNy3urXgtCOpUSu3qTCyRbWZtRq1566Mrl+wdbLas+m00bJkotOq"
    "sqt2s/G0RRg0rwEoNzE7L02onzVHNs0zATKeNP40ljJNqJYy/jSeNAEyzTNHNp81sqs7LzcxASg0r0UY8bR2s4yu"
    "06pkotGy6bTas3WyX7AjqeeuGrWZtUW1MLK3qVErzrTgtLq13LcpuHQxeSEgreSrZjVENR0xYizONQc0oqsKqVo3"
    "FzVrOCc1sDSgL4QspjGFNZGwX6+us6+zga/ZstutUbF+MDoyWTQDOVY49zRcLqEuWy28K4I3oS5FJwAwP662rKGo"
    "1SFpNMizzKFEIDGk8TKFJV21BzHvLzMkmy2ZL70yPSrgqQsjki2aLmMvhKmSNI8y5KKaqWmgSDAsnoSpLJ5IMGmg"
    "mqnkoo8ykjSZL2Mvmi6SLQsj4Kk9Kr0yMaSbLTMk7y8HMV21hSXxMj+uRCDMocizaTTVIaGotqxcLgAwRSehLoI3"
    "vCtbLaEu2633NFY4AzlZNDoyfjBRsaYx2bKBr6+zrrNfr5GwhTVkMiO17bDgsweu6alQp9Et86Q9tN6yqa+eKOov"
    "+y2KMeklqzAfrHImdjTeLXO0GrIZsjetaLEUq4c04x8zsMuula9/rXIw3axLLn2tDq/bonsuyLCuKgat/6ntmXag"
    "KCZWsEgp5qtUrzSx9pi0LTMsVrAzLLQt9pg0sVSv5qtIKXsuKCZ2oO2Z/6kGra4qyLCVr9uiDq99rUsu3axyMH+t"
    "GbLLrjOw4x+HNBSraLE3reklGrJztN4tdjRyJh+sqzDzpIox+y3qL54oqa/esj20ZDLRLVCn6akHruCz7bAjtcml"
    "qix5Gr+nZqTfsESxiShUpdksbik/qSuxGalCKIYxgjAXr6uy8LOGsGerhDI+MB8vuzfTNfO11q5ptGuvoqqXtRGw"
    "3DG/tAirES09M22zSyeprbWsrCj4sfioYTRnMt6uq692s/ex7TSyMKksYazermGsqSyyMO0097F2s6uvSydnMmE0"
    "+Kj4sawotayprZe1bbM9MxEtCKu/tNwxEbAfL6Kqa69ptNau87XTNbs3gjA+MIQyZ6uGsPCzq7IXr1SlhjFCKBmp"
    "K7E/qW4p2SzJpYkoRLHfsGakv6d5Gqos"
)
_BIAS: Final = -2.5387


def probability(face: RGB) -> float:
    """Return how surely a face (162, 162, 3) uint8 RGB wears glasses, from 0 to 1."""
    score = float((features(face) * _weights()).sum(dtype=np.float64)) + _BIAS
    return 1 / (1 + math.exp(-min(max(score, -50.0), 50.0)))


def features(face: RGB) -> Float32:
    """Return how strong the edges are in each cell and direction, of shape `SHAPE`.

    Their squares add up to 100.
    """
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.8)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1)[_AROUND_THE_EYES]
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1)[_AROUND_THE_EYES]
    strength = np.hypot(across, down).astype(np.float32)
    turns = np.arctan2(down, across) / np.pi
    direction = np.asarray(turns % 1 * _DIRECTIONS, np.float32)
    below = np.floor(direction)
    share = direction - below
    # Between two directions an edge counts for both.
    histogram = np.zeros((*strength.shape, _DIRECTIONS), np.float32)
    rows, columns = np.indices(strength.shape)
    place = below.astype(np.intp)
    histogram[rows, columns, place % _DIRECTIONS] += strength * (1 - share)
    histogram[rows, columns, (place + 1) % _DIRECTIONS] += strength * share
    cells = histogram.reshape(SHAPE[0], _CELL, SHAPE[1], _CELL, _DIRECTIONS).mean(axis=(1, 3))
    found = np.sqrt(cells)
    return np.asarray(found * (10 / (np.linalg.norm(found) + 1e-6)), np.float32)


def mirrored(values: Float32) -> Float32:
    """Return the features of the mirror image, or weights for them."""
    return values[..., ::-1, (-np.arange(_DIRECTIONS)) % _DIRECTIONS]


@functools.cache
def _weights() -> Float32:
    read = np.frombuffer(base64.b64decode(_WEIGHTS), np.float16).reshape(SHAPE)
    return read.astype(np.float32)
