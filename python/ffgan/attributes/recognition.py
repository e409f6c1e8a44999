# SPDX-License-Identifier: GPL-3.0-or-later
"""How alike two faces in the training framing are, by dlib's face recognition network."""

from __future__ import annotations

import numpy as np

from ffgan import faces
from ffgan.attributes import landmarks
from ffgan.typing import RGB, Float32


def embeddings(images: RGB) -> Float32:
    """Return dlib's embeddings (n, 128) float32 of faces (n, 162, 162, 3) uint8 RGB.

    Each is aligned by its own landmarks, which are found without a detector. Raises `ExtraError`.
    """
    left, top, right, bottom = (round(end) for end in landmarks.BOX)
    box = faces.Box(left, top, right, bottom, 1.0)
    return faces.embed(np.concatenate([faces.align(image, [box]) for image in images]))


def distance(one: RGB, other: RGB) -> float:
    """Return the distance of the embeddings of two faces: mostly below 0.6 for one person.

    Raises `ExtraError`.
    """
    first, second = embeddings(np.stack([one, other])).astype(np.float64)
    return float(np.linalg.norm(first - second))
