# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in rows and columns, with small texts above, beside and below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ffgan.errors import UsageError
from ffgan.images.lazy_opencv import opencv
from ffgan.typing import RGB

_PAPER: Final = 255
_INK: Final = (32, 32, 32)
_SHARE: Final = 0.0026
"""The scale of OpenCV's font for each pixel of a picture's width: 0.42 for 162 of them."""
_LEAST_SCALE: Final = 0.3
_MARGIN: Final = 4


def labelled_grid(
    images: Sequence[Sequence[RGB]],
    *,
    above: Sequence[str] = (),
    beside: Sequence[str] = (),
    below: Sequence[Sequence[str]] = (),
) -> RGB:
    """Return ``images``, rows of pictures of one size, as one (height, width, 3) on white.

    ``above``: a text for each column, over it; ``beside``: for each row, at its left; ``below``:
    for each picture, under it. Texts are ASCII, a little smaller where one is wider than its
    picture. Raises UsageError for no pictures and for texts that do not match them.
    """
    columns = len(images[0]) if images else 0
    if not columns or any(len(row) != columns for row in images):
        raise UsageError("a labelled grid needs rows of equally many pictures")
    if (
        len(above) not in (0, columns)
        or len(beside) not in (0, len(images))
        or (below and [len(row) for row in below] != [columns] * len(images))
    ):
        raise UsageError("a labelled grid needs a text for each row, column or picture")
    height, width = images[0][0].shape[:2]
    pen = _Pen(width)
    left = max((pen.length(text) for text in beside), default=0)
    left += 2 * _MARGIN if left else 0
    top = pen.line if above else 0
    pitch = height + (pen.line if below else 0)
    whole = np.full((top + len(images) * pitch, left + columns * width, 3), _PAPER, np.uint8)
    for i, text in enumerate(above):
        pen.write(whole, text, left + i * width, 0, width)
    for j, row in enumerate(images):
        y = top + j * pitch
        if beside:
            pen.write(whole, beside[j], 0, y + (height - pen.line) // 2, left)
        for i, image in enumerate(row):
            x = left + i * width
            whole[y : y + height, x : x + width] = image
            if below:
                pen.write(whole, below[j][i], x, y + height, width)
    return whole


class _Pen:
    """Writes lines of text, of a size that suits pictures of a width in pixels."""

    def __init__(self, width: int) -> None:
        self._cv2 = opencv()
        self._font = self._cv2.FONT_HERSHEY_SIMPLEX
        self._scale = max(_LEAST_SCALE, _SHARE * width)
        (_, height), under = self._cv2.getTextSize("0g", self._font, self._scale, 1)
        self._height = height
        self.line = height + under + 2 * _MARGIN
        """The height of a line, in pixels."""

    def length(self, text: str) -> int:
        """How wide a text is, in pixels."""
        (length, _), _ = self._cv2.getTextSize(text, self._font, self._scale, 1)
        return int(length)

    def write(self, onto: RGB, text: str, x: int, y: int, width: int) -> None:
        """Write a text into the middle of a line that begins at (x, y)."""
        length = self.length(text)
        share = min(1.0, max(width - 2, 1) / max(length, 1))
        at = (x + round((width - share * length) / 2), y + _MARGIN + self._height)
        self._cv2.putText(
            onto, text, at, self._font, self._scale * share, _INK, 1, self._cv2.LINE_AA
        )
