# SPDX-License-Identifier: GPL-3.0-or-later
"""dlib's trained files: where they are found, and each read once."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

from ffgan import _core
from ffgan.errors import ExtraError, ModelError

File: TypeAlias = str | os.PathLike[str]

LANDMARKS_FILE: Final = "shape_predictor_5_face_landmarks.dat"
LANDMARKS_68_FILE: Final = "shape_predictor_68_face_landmarks.dat"
CNN_FILE: Final = "mmod_human_face_detector.dat"
EMBEDDING_FILE: Final = "dlib_face_recognition_resnet_model_v1.dat"


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


def hog_detector() -> _core.FaceDetector:
    """Return dlib's frontal detector, which needs no file."""
    return _hog()


def cnn_detector(given: File | None = None) -> _core.CnnFaceDetector:
    """Return dlib's detector by a network. Raises `ExtraError`, `ModelError`."""
    return _read_cnn(model_file(CNN_FILE, given).resolve())


def shape_predictor(given: File | None, count: int) -> _core.FaceLandmarks:
    """Return the shape predictor of ``count`` points, 5 or 68, or the ``given`` one.

    Raises `ExtraError`, `ModelError`.
    """
    name = LANDMARKS_68_FILE if count == 68 else LANDMARKS_FILE
    return _read_landmarks(model_file(name, given).resolve())


def recognition_network(given: File | None = None) -> _core.FaceEmbedder:
    """Return dlib's face recognition network. Raises `ExtraError`, `ModelError`."""
    return _read_embedder(model_file(EMBEDDING_FILE, given).resolve())


def recognition_file(given: File | None = None) -> Path:
    """Return the path of dlib's face recognition network, which has been read once: it is one.

    Raises `ExtraError` when there is none, `ModelError` for another file.
    """
    recognition_network(given)
    return model_file(EMBEDDING_FILE, given)


@functools.cache
def _hog() -> _core.FaceDetector:
    return _core.FaceDetector()


@functools.lru_cache(maxsize=2)
def _read_landmarks(path: Path) -> _core.FaceLandmarks:
    try:
        return _core.FaceLandmarks(str(path))
    except (ValueError, MemoryError) as error:  # a damaged size may be any
        raise ModelError(f"{path}: not a shape predictor for faces: {one_line(error)}") from error


@functools.lru_cache(maxsize=2)
def _read_cnn(path: Path) -> _core.CnnFaceDetector:
    try:
        return _core.CnnFaceDetector(str(path))
    except (ValueError, MemoryError) as error:  # a damaged size may be any
        raise ModelError(f"{path}: not dlib's detector for faces: {one_line(error)}") from error


@functools.lru_cache(maxsize=2)
def _read_embedder(path: Path) -> _core.FaceEmbedder:
    try:
        return _core.FaceEmbedder(str(path))
    except (ValueError, MemoryError) as error:  # a damaged size may be any
        raise ModelError(
            f"{path}: not dlib's face recognition network: {one_line(error)}"
        ) from error


def one_line(error: Exception) -> str:
    """Return what dlib or the core says, without line breaks."""
    return " ".join(str(error).split())
