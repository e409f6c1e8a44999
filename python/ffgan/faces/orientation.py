# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces that lie on their side or upside down, as in scanned photographs without EXIF.

dlib's landmarks are for upright faces, and are put upright over any other one, too. So a face is
judged by what they lead to: cut out by its landmarks, it must look like a face to the frontal
detector. Its landmarks are those of the quarter turn in which it does so best.

A turn is the number of quarter turns clockwise by which a face lies in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from ffgan.faces.alignment import cut, squares
from ffgan.faces.box import Box
from ffgan.faces.detection import Detector, detect, detect_all, landmarks
from ffgan.faces.dlib_files import File
from ffgan.faces.pose import pose
from ffgan.faces.recognition import CHIP_SIZE, PADDING
from ffgan.faces.tiling import same_face
from ffgan.typing import RGB, Points

Rotate: TypeAlias = Literal["auto", "never", "always"]

# Scores of dlib's frontal detector; docs/extract.md has what these bounds let through.
FITS: Final = 0.0
"""From this score on landmarks fit, in the turn in which the detector found the face."""

FITS_TURNED: Final = 0.75
"""From this score on they fit in another turn."""

CERTAIN: Final = 1.0
"""From this score on no other turn is tried where the frontal detector found the face."""

_MARGIN: Final[dict[Detector, float]] = {"hog": 0.5, "cnn": 0.25}
"""By how much another turn must be better; only hog says something about the turn itself."""

_NEARLY: Final = -0.5  # the least score that is asked for: below it nothing is decided
_UPRIGHT: Final = 45.0  # degrees; a face that leans further belongs to the next turn
_NOTHING: Final = float("-inf")


@dataclass(frozen=True, eq=False)
class OrientedFace:
    """A face with its landmarks ``points`` (5 or 68, 2), in pixels of the picture as it is.

    ``turn``: by how many quarter turns it lies there. ``fits``: whether its landmarks fit in one
    of them.
    """

    box: Box
    points: Points
    turn: int
    fits: bool


def find(
    image: RGB,
    *,
    rotate: Rotate = "auto",
    upsample: int = 0,
    threshold: float = 0.0,
    detector: Detector = "hog",
    detector_file: File | None = None,
    count: Literal[5, 68] = 5,
    landmarks_file: File | None = None,
) -> list[OrientedFace]:
    """Return the faces in ``image`` (rows, columns, 3) uint8 RGB, the most certain first.

    ``auto`` turns a picture in which nothing is found whose landmarks fit, ``always`` every one;
    what is found in a turned picture counts only if its landmarks fit. The rest as in
    `ffgan.faces.detect` and `ffgan.faces.landmarks`. Raises `ExtraError`, `ModelError`,
    `UsageError`.
    """

    def detected(turn: int) -> list[Box]:
        boxes = detect(
            image,
            upsample=upsample,
            threshold=threshold,
            detector=detector,
            file=detector_file,
            turn=turn,
        )
        return [_box_back(box, turn, image.shape) for box in boxes]

    def points_of(box: Box, turn: int) -> Points:
        return _landmarks(image, box, turn, count, landmarks_file)

    boxes = detected(0)
    points = landmarks(image, boxes, count=count, file=landmarks_file)
    found = [_judged(image, *each, points_of, detector) for each in zip(boxes, points, strict=True)]
    # The frontal detector takes one face in twenty that is upside down for an upright one, whose
    # landmarks then do not fit.
    if rotate == "always" or (rotate == "auto" and not any(sure for _, sure in found)):
        turned = [box for turn in (1, 2, 3) for box in detected(turn)]
        for box in sorted(turned, key=lambda box: -box.confidence):
            face, sure = _judged(image, box, None, points_of, detector)
            same = [other for other in found if same_face(box, other[0].box)]
            if sure and not any(
                other_sure or other.box.confidence >= box.confidence for other, other_sure in same
            ):
                found = [other for other in found if other not in same]
                found.append((face, True))
    return sorted((face for face, _ in found), key=lambda face: -face.box.confidence)


def _judged(
    image: RGB,
    box: Box,
    own: Points | None,
    points_of: Callable[[Box, int], Points],
    detector: Detector,
) -> tuple[OrientedFace, bool]:
    """A face of that box, and whether its landmarks surely fit.

    ``own``: its landmarks where the picture was not turned to find it.
    """
    points: dict[int, Points] = {}
    scores: dict[int, float] = {}
    if own is not None:
        points[0], scores[0] = own, _score(image, own, 0)
        if detector == "hog" and scores[0] >= CERTAIN:
            return OrientedFace(box, own, 0, True), True
    for turn in range(4):
        if turn not in points:
            points[turn] = points_of(box, turn)
            scores[turn] = _score(image, points[turn], turn)
    best = max(scores, key=lambda turn: scores[turn])
    if own is None:
        sure = scores[best] >= FITS_TURNED
        return OrientedFace(box, points[best], best, sure), sure
    if best and scores[best] >= max(FITS_TURNED, scores[0] + _MARGIN[detector]):
        return OrientedFace(box, points[best], best, True), True
    sure = scores[0] >= FITS
    # What the frontal detector finds is upright, if hard to see; what the network finds may not be.
    return OrientedFace(box, own, 0, sure or detector == "hog"), sure


def _score(image: RGB, points: Points, turn: int) -> float:
    """How much a face looks like one when it is cut out by landmarks found in that turn."""
    leaning = (pose(points).roll - 90 * turn + 180) % 360 - 180
    if abs(leaning) > _UPRIGHT:
        return _NOTHING
    square = squares(points[None], "dlib", size=CHIP_SIZE, padding=PADDING)
    [found] = detect_all(cut(image, square, CHIP_SIZE), threshold=_NEARLY)
    return max((box.confidence for box in found if _fills(box)), default=_NOTHING)


def _fills(box: Box) -> bool:
    """Whether a box lies where the face of an aligned chip does."""
    middle = CHIP_SIZE / 2
    across, down = (box.left + box.right) / 2 - middle, (box.top + box.bottom) / 2 - middle
    return abs(across) < CHIP_SIZE / 6 and abs(down) < CHIP_SIZE / 5


def _landmarks(image: RGB, box: Box, turn: int, count: Literal[5, 68], file: File | None) -> Points:
    """The landmarks of a face that lies by ``turn``, from the picture around it, turned upright."""
    margin = max(box.right - box.left, box.bottom - box.top)
    left, top = max(box.left - margin, 0), max(box.top - margin, 0)
    around = image[top : box.bottom + margin, left : box.right + margin]
    inside = Box(box.left - left, box.top - top, box.right - left, box.bottom - top, 0.0)
    rows, columns = around.shape[:2]
    upright = _upright(around, turn)
    for _ in range(turn):
        inside = Box(inside.top, columns - inside.right, inside.bottom, columns - inside.left, 0.0)
        rows, columns = columns, rows
    [points] = landmarks(upright, [inside], count=count, file=file)
    for _ in range(turn):
        points = np.stack([rows - 1 - points[:, 1], points[:, 0]], axis=1)
        rows, columns = columns, rows
    return np.asarray(points + np.array([left, top]), np.int64)


def _upright(image: RGB, turn: int) -> RGB:
    """The picture, turned so that faces that lie by ``turn`` are upright."""
    return np.ascontiguousarray(np.rot90(image, turn)) if turn else image


def _box_back(box: Box, turn: int, shape: tuple[int, ...]) -> Box:
    """A box of the picture that `_upright` turned, in the picture of ``shape``."""
    rows = shape[1] if turn % 2 else shape[0]
    columns = shape[0] if turn % 2 else shape[1]
    for _ in range(turn):
        box = Box(rows - box.bottom, box.left, rows - box.top, box.right, box.confidence)
        rows, columns = columns, rows
    return box
