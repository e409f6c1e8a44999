# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting faces out upright: dlib's framing, and that of the images the model was trained on.

A square is (x, y, side, angle) float64: the column and row of its centre and its side, in pixels of
the photograph, and by how many radians it is turned, clockwise as one sees it. A pixel's middle is
at whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from ffgan import _core
from ffgan.errors import UsageError
from ffgan.faces.box import Box
from ffgan.faces.detection import check_image, landmarks
from ffgan.faces.dlib_files import File, one_line
from ffgan.faces.recognition import CHIP_SIZE
from ffgan.faces.recognition import PADDING as RECOGNITION_PADDING
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float64, Points

Framing: TypeAlias = Literal["dlib", "training"]

SIZES: Final[dict[Framing, int]] = {"dlib": 200, "training": IMAGE_SIZE}
"""The side of a chip, in pixels: dlib's default, and that of the training set."""

DLIB_PADDING: Final = 0.2
"""dlib's default: what is added around the face on each side, as a share of the face."""

# tools/synthesize_faces.py cuts [102:470, 72:440] out of faces that fill 512x512.
CROP: Final = 368 / 512
CROP_DOWN: Final = 30 / 512

_FINER: Final = 16
"""Parts of a pixel that `fine_squares` tells apart."""

# Of the 68 points of iBUG 300-W.
_LEFT_EYE: Final = slice(36, 42)
_RIGHT_EYE: Final = slice(42, 48)
_MOUTH_CORNERS: Final = (48, 54)


def check(framing: str, size: int | None, padding: float | None) -> tuple[Framing, int, float]:
    """Return the framing with what was not given filled in. Raises `UsageError`."""
    if framing == "training":
        if padding is not None:
            raise UsageError("the framing 'training' has no padding: leave it out")
        return "training", SIZES["training"] if size is None else size, 0.0
    if framing != "dlib":
        raise UsageError(f"framing {framing!r}: give 'dlib' or 'training'")
    return (
        "dlib",
        SIZES["dlib"] if size is None else size,
        DLIB_PADDING if padding is None else padding,
    )


def squares(points: Points, framing: Framing, *, size: int, padding: float) -> Float64:
    """Return where faces of landmarks (k, 5 or 68, 2) int64 are to be cut out: (k, 4) float64.

    ``dlib``: its get_face_chip_details for chips of ``size`` pixels and with ``padding``.
    ``training``: needs 68 points. Raises `UsageError`.
    """
    if framing == "training":
        return _of_training(points, size)
    try:
        return _core.face_squares(np.ascontiguousarray(points), size, padding)
    except ValueError as error:
        raise UsageError(str(error)) from error


def fine_squares(points: Float64, *, size: int, padding: float) -> Float64:
    """Return `squares` of "dlib" for landmarks (k, 5 or 68, 2) float64 with fractions of pixels.

    dlib takes whole pixels: those of a picture that is so much larger. Raises `UsageError`.
    """
    larger = np.rint(_FINER * points).astype(np.int64)
    found = squares(larger, "dlib", size=size, padding=padding)
    found[:, :3] /= _FINER  # not the angle
    return found


def _of_training(points: Points, size: int) -> Float64:
    """FFHQ's alignment, after Karras et al. 2018 (arXiv 1710.10196), appendix C, and the crop.

    There: x' from eye to eye, y' from the mouth to the eyes, c = middle of the eyes - 0.1 y', side
    max(4.0 |x'|, 3.6 |y'|), and the sides lie along x' - rotate90(y'). The mouth is the middle of
    its corners.
    """
    if points.shape[1] != 68:
        raise UsageError("the framing 'training' needs a shape predictor of 68 points")
    right, left = points[:, _RIGHT_EYE].mean(axis=1), points[:, _LEFT_EYE].mean(axis=1)
    eyes, mouth = (left + right) / 2, points[:, _MOUTH_CORNERS].mean(axis=1)
    across, down = right - left, mouth - eyes
    along = across + np.stack([down[:, 1], -down[:, 0]], axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.maximum(4.0 * np.linalg.norm(across, axis=1), 3.6 * np.linalg.norm(down, axis=1))
    downwards = np.stack([-along[:, 1], along[:, 0]], axis=1)
    centre = eyes + 0.1 * down + CROP_DOWN * side[:, None] * downwards
    side *= CROP
    # dlib's rectangles end at the middle of the outermost pixels and count one pixel more.
    dlib_side = np.maximum(side - side / size + 1, 1.0)
    angle = np.arctan2(along[:, 1], along[:, 0])
    return np.column_stack([centre, dlib_side, angle])


def outside(square: Float64, rows: int, columns: int) -> float:
    """Return the share of a square (4,) that lies beyond a photograph of that size."""
    x, y, side, angle = square
    places = (np.arange(32) + 0.5) / 32 - 0.5
    across, down = np.meshgrid(places * side, places * side)
    column = x + across * np.cos(angle) - down * np.sin(angle)
    row = y + across * np.sin(angle) + down * np.cos(angle)
    inside = (column > -0.5) & (column < columns - 0.5) & (row > -0.5) & (row < rows - 0.5)
    return float(1 - inside.mean())


def align(
    image: RGB,
    boxes: Sequence[Box] | None = None,
    *,
    framing: Framing = "dlib",
    size: int | None = None,
    padding: float | None = None,
    file: File | None = None,
) -> RGB:
    """Return the faces of ``boxes`` upright and of one size: (k, size, size, 3) uint8 RGB.

    Each is turned, moved and scaled so that it lies where an average face does. ``dlib``: by dlib's
    get_face_chip_details, and by default as `embed` takes it; ``padding`` is what is added around
    the face on each side, as a share of the face. ``training``: as the faces lie that the packaged
    model was trained on, 162 pixels, from 68 points. What is outside of ``image`` is black. Without
    ``boxes``: of the faces that `detect` finds. ``file``: as in `landmarks`. Raises `ExtraError`,
    `ModelError`, `UsageError`.
    """
    if framing == "dlib":
        size = CHIP_SIZE if size is None else size
        padding = RECOGNITION_PADDING if padding is None else padding
    framing, size, padding = check(framing, size, padding)
    points = landmarks(image, boxes, count=68 if framing == "training" else 5, file=file)
    return cut(image, squares(points, framing, size=size, padding=padding), size)


def cut(image: RGB, squares: Float64, size: int) -> RGB:
    """Return the ``squares`` (k, 4), cut out, as (k, size, size, 3) uint8 RGB.

    Raises `UsageError`.
    """
    try:
        return _core.cut_faces(check_image(image), np.ascontiguousarray(squares), size)
    except (TypeError, ValueError) as error:
        raise UsageError(one_line(error)) from error
