# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in an image and their landmarks, by dlib's detectors and shape predictors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from ffgan.errors import UsageError
from ffgan.faces import dlib_files, tiling
from ffgan.faces.box import Box
from ffgan.faces.dlib_files import File
from ffgan.typing import RGB, Points

Detector: TypeAlias = Literal["hog", "cnn"]
DETECTORS: Final[tuple[Detector, ...]] = ("hog", "cnn")
MAX_UPSAMPLE: Final = 4


def detect(
    image: RGB,
    *,
    upsample: int = 0,
    threshold: float = 0.0,
    detector: Detector = "hog",
    file: File | None = None,
    turn: int = 0,
) -> list[Box]:
    """Return the faces in ``image`` (rows, columns, 3) uint8 RGB, the most certain first.

    ``hog``, dlib's frontal detector, finds upright faces of 80 pixels and more, turned by up to
    some 30 degrees. ``cnn``, dlib's network, also finds turned and covered ones, and takes some
    seven times as long; ``file`` is a network of its form instead of that of the extra `faces`.
    ``upsample`` (0 to 4) doubles the image so often beforehand, at four times the work each.
    ``threshold`` is the least confidence: below 0 more faces, and more false ones. A large image is
    searched in tiles (`ffgan.faces.tiling`), so memory is bounded. It is searched, and boxes are
    given, as it is after ``turn`` quarter turns anticlockwise. Raises `ExtraError`, `ModelError`,
    `UsageError`.
    """
    return detect_all(
        [image], upsample=upsample, threshold=threshold, detector=detector, file=file, turn=turn
    )[0]


def detect_all(
    images: Sequence[RGB] | RGB,
    *,
    upsample: int = 0,
    threshold: float = 0.0,
    detector: Detector = "hog",
    file: File | None = None,
    turn: int = 0,
) -> list[list[Box]]:
    """Return `detect` of each image, on all cores; the images may differ in size."""
    arrays = [check_image(image) for image in images]
    check_search(detector, upsample)
    finder = dlib_files.hog_detector() if detector == "hog" else dlib_files.cnn_detector(file)

    def find(some: list[RGB]) -> list[list[Box]]:
        try:
            found = finder.detect(some, upsample, threshold)
        except (TypeError, ValueError) as error:
            raise UsageError(dlib_files.one_line(error)) from error
        return [[_box(*row) for row in rows.tolist()] for rows in found]

    whole = [tiling.fits(array.shape[:2], upsample) for array in arrays]
    small = [array for array, fits in zip(arrays, whole, strict=True) if fits]
    at_once = iter(find([np.ascontiguousarray(np.rot90(array, turn)) for array in small]))
    return [
        next(at_once)
        if fits
        else tiling.detect(array, upsample, lambda piece: find([piece])[0], turn)
        for array, fits in zip(arrays, whole, strict=True)
    ]


def landmarks(
    image: RGB,
    boxes: Sequence[Box] | None = None,
    *,
    count: Literal[5, 68] = 5,
    file: File | None = None,
) -> Points:
    """Return the points of each box's face: (k, count, 2) int64, column and row in pixels.

    Five are the outer and the inner corner of the eye at the right, of the eye at the left (as one
    looks at the picture), and the bottom of the nose; 68 are those of iBUG 300-W. Without
    ``boxes``: of those that `detect` finds. ``file``: a shape predictor of 5 or 68 points instead
    of those of the extra `faces`, whatever ``count``. Raises `ExtraError`, `ModelError`,
    `UsageError`.
    """
    array = check_image(image)
    boxes = detect(array) if boxes is None else boxes
    predictor = dlib_files.shape_predictor(file, count)
    try:
        return predictor.find(array, _rows(boxes))
    except (TypeError, ValueError) as error:
        raise UsageError(dlib_files.one_line(error)) from error


def check_search(detector: Detector, upsample: int) -> None:
    """Raise `UsageError` for a detector or a number of doublings that `detect` does not know."""
    if detector not in DETECTORS:
        raise UsageError(f"detector {detector!r}: give 'hog' or 'cnn'")
    if upsample not in range(MAX_UPSAMPLE + 1):
        raise UsageError(f"upsample {upsample!r}: give a whole number from 0 to {MAX_UPSAMPLE}")


def check_image(image: RGB) -> RGB:
    """Return an image for the core, contiguous. Raises `UsageError` for other arrays."""
    array = np.ascontiguousarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise UsageError(f"an image is {array.dtype} {array.shape}, not uint8 (rows, columns, 3)")
    return array


def _box(left: float, top: float, right: float, bottom: float, confidence: float) -> Box:
    return Box(int(left), int(top), int(right), int(bottom), confidence)


def _rows(boxes: Sequence[Box]) -> Points:
    rows = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return np.array(rows, np.int64).reshape(-1, 4)
