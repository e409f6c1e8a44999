# SPDX-License-Identifier: GPL-3.0-or-later
"""What control measures on a rendered face: the attributes' columns, and dlib's embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ffgan import attributes, faces
from ffgan.attributes import landmarks
from ffgan.typing import Float32, UInt8

_NAMES: Final = {one.column: one.name for one in reversed(list(attributes.ATTRIBUTES.values()))}
"""Of each column, the first attribute that it is measured for."""


def measured(image: UInt8, columns: Sequence[str]) -> dict[str, float]:
    """Return the numbers in some columns of the attributes of one image. Raises `ExtraError`."""
    table = attributes.measure(image[None], [_NAMES[column] for column in columns])
    return {column: float(table[column][0]) for column in columns}


def embeddings(images: UInt8) -> Float32:
    """Return dlib's embeddings (n, 128) of images (n, 162, 162, 3). Raises `ExtraError`."""
    left, top, right, bottom = (round(end) for end in landmarks.BOX)
    box = faces.Box(left, top, right, bottom, 1.0)
    return faces.embed(np.concatenate([faces.align(image, [box]) for image in images]))


def distance(a: UInt8, b: UInt8) -> float:
    """Return the distance of the embeddings of two images: mostly below 0.6 for one person."""
    first, second = embeddings(np.stack([a, b])).astype(np.float64)
    return float(np.linalg.norm(first - second))
