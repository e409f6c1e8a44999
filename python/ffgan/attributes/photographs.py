# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces in any picture, cut to the training framing and measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from ffgan import faces
from ffgan.attributes import landmarks
from ffgan.attributes.measurement import Table, columns, measure
from ffgan.faces import Box, Detector, alignment, orientation
from ffgan.faces.detection import check_image, check_search
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float64

_STORED_THRESHOLD: Final = -0.5
"""Least confidence of a face that is where a stored one is; nothing else there looks like one."""

_SAME_PLACE: Final = 15
"""By how many pixels each side of its box may lie elsewhere than `landmarks.BOX`."""

PLACE: Final = (("left", np.int32), ("top", np.int32), ("right", np.int32), ("bottom", np.int32))
"""The columns of where a face is in its picture, as those of `ffgan.faces.Box`."""


class FoundFaces(NamedTuple):
    """Faces of a picture, the most certain first.

    ``boxes``: where they are; ``chips``: cut to the training framing, (k, 162, 162, 3) uint8 RGB;
    ``leaning``: by how many degrees each was turned to stand upright there, (k,) float64.
    """

    boxes: list[Box]
    chips: RGB
    leaning: Float64


def faces_in(image: RGB, *, detector: Detector = "hog", upsample: int = 0) -> FoundFaces:
    """Return the faces in ``image`` (rows, columns, 3) uint8 RGB, cut to the training framing.

    A picture of 162x162 pixels whose face is in the training framing already, such as a generated
    one, is taken as it is. ``detector`` and ``upsample`` as in `ffgan.faces.detect`; pictures that
    lie on their side are turned. Raises `ExtraError`, `UsageError`.
    """
    image = check_image(image)
    check_search(detector, upsample)
    if (stored := _stored(image)) is not None:
        return FoundFaces([stored], image[None], np.zeros(1))
    found = orientation.find(image, detector=detector, upsample=upsample, count=68)
    found = [face for face in found if face.fits]
    if not found:
        return FoundFaces([], np.empty((0, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), np.empty(0))
    points = np.stack([face.points for face in found])
    squares = alignment.squares(points, "training", size=IMAGE_SIZE, padding=0.0)
    chips = faces.cut(image, squares, IMAGE_SIZE)
    return FoundFaces([face.box for face in found], chips, np.degrees(squares[:, 3]))


def _stored(image: RGB) -> Box | None:
    """The box of the face of a picture that is in the training framing, else None."""
    if image.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE):
        return None
    for box in faces.detect(image, threshold=_STORED_THRESHOLD):
        sides = np.array([box.left, box.top, box.right, box.bottom])
        if np.abs(sides - landmarks.BOX).max() <= _SAME_PLACE:
            return None if _turned(image, box) else box
    return None


def _turned(image: RGB, box: Box) -> bool:
    """Whether a face that is found upright looks more like one when the picture is turned.

    One in twenty that are upside down is found upright, and lies in the same place.
    """
    if box.confidence >= orientation.CERTAIN:
        return False
    least = max(box.confidence, orientation.FITS_TURNED)
    return any(faces.detect(image, threshold=least, turn=turn) for turn in (1, 2, 3))


def measure_image(
    image: RGB,
    names: Iterable[str] | None = None,
    *,
    robust: bool = True,
    detector: Detector = "hog",
    upsample: int = 0,
) -> Table:
    """Return the attributes of the faces in a picture, a row for each, the most certain first.

    As `measure`, after the columns ``left``, ``top``, ``right`` and ``bottom`` (int32, pixels) of
    the place of the face, which is found as by `faces_in`. ``roll`` is that in the picture. No face
    is an empty table. Raises `ExtraError`, `UsageError`.
    """
    names = None if names is None else [names] if isinstance(names, str) else list(names)
    table_type = placed_columns(names)
    found = faces_in(image, detector=detector, upsample=upsample)
    return placed(found, measure(found.chips, names, robust=robust), table_type)


def placed_columns(names: Iterable[str] | None) -> np.dtype[np.void]:
    """Return the columns of `measure_image`."""
    measured: Any = columns(names)
    return np.dtype([*PLACE, *((name, measured[name]) for name in measured.names)])


def placed(found: FoundFaces, measured: Table, table_type: np.dtype[np.void]) -> Table:
    """Return the table of measured faces with their places, and ``roll`` as in the picture."""
    table = np.zeros(len(measured), table_type)
    for name in measured.dtype.names or ():
        table[name] = measured[name]
    for number, box in enumerate(found.boxes):
        for side, _ in PLACE:
            table[side][number] = getattr(box, side)
    if "roll" in (table.dtype.names or ()):
        table["roll"] = (table["roll"] + found.leaning + 180) % 360 - 180
    return table
