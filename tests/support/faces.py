# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces as images, upright, turned and in photographs, and dlib's files or a skipped test."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffgan import faces
from ffgan.errors import ExtraError
from ffgan.typing import RGB


def need_dlib_files(*names: str) -> None:
    """Skip the test where dlib's files, by default of landmarks and embeddings, are missing."""
    for name in names or (faces.LANDMARKS_FILE, faces.LANDMARKS_68_FILE, faces.EMBEDDING_FILE):
        try:
            faces.model_file(name)
        except ExtraError as error:
            pytest.skip(str(error))


def whole(images: RGB) -> RGB:
    """Images of faces as if they were aligned, (n, 150, 150, 3)."""
    size = (faces.CHIP_SIZE, faces.CHIP_SIZE)
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def turned(image: RGB, degrees: float) -> RGB:
    """An image turned about its middle, in a black one of twice the size."""
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    turn[:, 2] += side / 2
    return np.asarray(cv2.warpAffine(image, turn, (2 * side, 2 * side)))
