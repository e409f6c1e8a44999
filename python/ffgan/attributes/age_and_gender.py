# SPDX-License-Identifier: GPL-3.0-or-later
"""Age and gender of faces in the training framing, averaged over views of each face.

The networks see dlib's chips by five landmarks. A mirror image of the same face moves the age that
they say by two years, and a chip that lies a little otherwise by one. So what they say is averaged
over two chips, one a little larger and one a little smaller, of the face and of its mirror image.
docs/attributes.md has what that brings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from ffgan import faces
from ffgan.attributes import landmarks, networks
from ffgan.faces import alignment
from ffgan.typing import RGB, Float32, Float64

# Right, down and larger, in sides of the chip, and by how many radians it is turned.
_VIEWS: Final = ((0.03, 0.02, 0.03, 0.03), (-0.03, -0.02, -0.03, -0.03))


def views(face: RGB, sides: Sequence[int], *, robust: bool) -> list[RGB]:
    """Return what networks see of a face (162, 162, 3): for each side (k, side, side, 3) uint8 RGB.

    One view, or four if ``robust``.
    """
    seen = [face, face[:, ::-1]] if robust else [face]
    points = [landmarks.find(one, 5, robust=False) for one in seen]
    result = []
    for side in sides:
        chips = []
        for one, five in zip(seen, points, strict=True):
            square = alignment.fine_squares(five[None], size=side, padding=networks.CHIP_PADDING)
            chips.append(faces.cut(one, _moved(square) if robust else square, side))
        result.append(np.concatenate(chips))
    return result


def _moved(square: Float64) -> Float64:
    [[x, y, side, angle]] = square
    return np.array(
        [
            (x + right * side, y + down * side, side * (1 + larger), angle + turned)
            for right, down, larger, turned in _VIEWS
        ]
    )


def age_distributions(chips: RGB, views: int) -> Float32:
    """Return the probabilities (n, 81) of `networks.AGES` by the chips (n * views, ...)."""
    return _averaged(networks.ages, chips, views)


def male_probabilities(chips: RGB, views: int) -> Float32:
    """Return the probability (n,) that a face is a male one by the chips (n * views, ...)."""
    return _averaged(networks.genders, chips, views)[:, 1]


def _averaged(network: Callable[[RGB], Float32], chips: RGB, views: int) -> Float32:
    outputs = network(chips)
    return np.asarray(outputs.reshape(-1, views, outputs.shape[1]).mean(axis=1), np.float32)
