# SPDX-License-Identifier: GPL-3.0-or-later
"""The face of a photograph, cut out as the generator's faces lie, by `extract`'s own code."""

from __future__ import annotations

import os

import numpy as np

from ffgan import faces, images, storage
from ffgan.attributes import landmarks
from ffgan.dataset.sources import MAX_FILE_BYTES
from ffgan.errors import DatasetError, Error, UsageError
from ffgan.faces import alignment, orientation
from ffgan.faces.orientation import OrientedFace
from ffgan.shapes import IMAGE_SHAPE, IMAGE_SIZE
from ffgan.typing import RGB, Float64
from ffgan.wording import counted

SMALL = 2_000_000
"""Pixels of a picture that is searched once more for smaller faces where none is found."""


def read(path: str | os.PathLike[str]) -> RGB:
    """Return the picture in a file, upright RGB, as `ffgan.images.decode` reads it.

    Raises `DatasetError` for a file that is none, `Error` when it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Error(f"cannot read {path}: {storage.reason(error)}") from error
    if len(data) > MAX_FILE_BYTES:
        raise DatasetError(f"{path}: more than {MAX_FILE_BYTES} bytes")
    try:
        return images.decode(data, reduce=True)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def cut_out(image: RGB, face: int | None = None) -> RGB:
    """Return a face of a photograph in the framing of generated ones, (162, 162, 3) uint8 RGB.

    ``image`` (rows, columns, 3) uint8 RGB; one of 162x162 is taken as it is. ``face`` counts from
    the largest, which is 1, the default. What lies beyond the photograph is black. Raises
    `UsageError` where there is no such face, `ExtraError` without the extra `faces`.
    """
    if face is not None and face < 1:
        raise UsageError(f"the face is {face}: they count from 1, the largest")
    if image.shape == IMAGE_SHAPE and face is None:
        return np.ascontiguousarray(image)
    found = _faces(image)
    if not found:
        raise UsageError(
            "no face is found: give a photograph that shows one from the front, of 40 pixels and "
            f"more, or a face of {IMAGE_SIZE}x{IMAGE_SIZE} as ffgan extract --framing training "
            "cuts it"
        )
    number = 1 if face is None else face
    if number > len(found):
        raise UsageError(f"face {number} is asked for, and {counted(len(found), 'face')} found")
    points = found[number - 1].points[None]
    square = alignment.squares(points, "training", size=IMAGE_SIZE, padding=0.0)
    chip: RGB = faces.cut(image, square, IMAGE_SIZE)[0]
    return chip


def _faces(image: RGB) -> list[OrientedFace]:
    """Those whose landmarks fit, the largest first."""
    rows, columns = image.shape[:2]
    for upsample in (0, 1) if rows * columns <= SMALL else (0,):
        found = orientation.find(image, upsample=upsample, count=68)
        fitting = [one for one in found if one.fits]
        if fitting:
            return sorted(fitting, key=lambda one: one.box.left - one.box.right)
    return []


def squares(face: RGB) -> Float64:
    """Return where the recognition network's chip of a cut-out face is, (1, 4) float64.

    Raises `ExtraError`.
    """
    points = landmarks.find(face, 68, robust=False)[None]
    return alignment.fine_squares(points, size=faces.CHIP_SIZE, padding=faces.PADDING)
