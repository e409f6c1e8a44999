# SPDX-License-Identifier: GPL-3.0-or-later
"""Detection in large images, piece by piece, so that memory does not grow with the image.

A detector keeps several numbers for each pixel. Beyond `WHOLE` pixels the image is cut into tiles
that overlap by `OVERLAP`: a face of up to that size is whole in one of them. Larger ones are found
in the image at half its size, which is cut into tiles in turn, until it is searched as a whole.
Of several boxes of one face the most confident is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from ffgan import images
from ffgan.faces.box import Box
from ffgan.typing import RGB

WHOLE: Final = 16_000_000
"""Most pixels, after upsampling, that are searched in one piece."""

TILE: Final = 4000
OVERLAP: Final = 640
"""Both in pixels after upsampling."""

SAME_FACE: Final = 0.5
"""Two boxes are of one face from this share of the smaller one on that both have in common."""


def fits(shape: tuple[int, ...], upsample: int) -> bool:
    """Whether an image of ``shape`` (rows, columns) is searched in one piece."""
    return shape[0] * shape[1] << 2 * upsample <= WHOLE


def detect(image: RGB, upsample: int, find: Callable[[RGB], list[Box]], turn: int = 0) -> list[Box]:
    """Return the faces in an ``image`` that does not fit, the most certain first.

    ``find`` detects in one piece (rows, columns, 3), and upsamples it itself. The image is
    searched, and boxes are given, as it is after ``turn`` quarter turns anticlockwise.
    """
    found: list[Box] = []
    scale = 1
    while not fits(image.shape[:2], upsample):
        # A view: only pieces are turned, as a large image may take most of the memory.
        turned = np.rot90(image, turn)
        for top, left, piece in _pieces(turned, TILE >> upsample, OVERLAP >> upsample):
            found += (_placed(box, left, top, scale) for box in find(piece))
        image = images.resize(image, (-(-image.shape[0] // 2), -(-image.shape[1] // 2)))
        scale *= 2
    whole = np.ascontiguousarray(np.rot90(image, turn))
    found += (_placed(box, 0, 0, scale) for box in find(whole))
    kept: list[Box] = []
    for box in sorted(found, key=lambda box: -box.confidence):
        if not any(same_face(box, other) for other in kept):
            kept.append(box)
    return kept


def _pieces(image: RGB, tile: int, overlap: int) -> Iterator[tuple[int, int, RGB]]:
    rows, columns = image.shape[:2]
    for top in _starts(rows, tile, overlap):
        for left in _starts(columns, tile, overlap):
            piece = image[top : top + tile, left : left + tile]
            yield top, left, np.ascontiguousarray(piece)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Evenly spread, so that no tile is a narrow rest."""
    count = 1 if length <= tile else -(-(length - overlap) // (tile - overlap))
    return [round(i * (length - tile) / max(count - 1, 1)) for i in range(count)]


def _placed(box: Box, left: int, top: int, scale: int) -> Box:
    return replace(
        box,
        left=(box.left + left) * scale,
        top=(box.top + top) * scale,
        right=(box.right + left) * scale,
        bottom=(box.bottom + top) * scale,
    )


def same_face(a: Box, b: Box) -> bool:
    """Whether two boxes are of one face."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return False
    smaller = min((box.right - box.left) * (box.bottom - box.top) for box in (a, b))
    return width * height >= SAME_FACE * smaller
