# SPDX-License-Identifier: GPL-3.0-or-later
"""Embeddings of aligned faces, by dlib's face recognition network: near for one person."""

from __future__ import annotations

from typing import Final

import numpy as np

from ffgan.errors import UsageError
from ffgan.faces import dlib_files
from ffgan.faces.dlib_files import File
from ffgan.typing import RGB, Float32

CHIP_SIZE: Final = 150
"""The side of the aligned faces that `embed` takes, in pixels."""

PADDING: Final = 0.25
"""The padding of the aligned faces that `embed` was trained on."""

SAME_PERSON: Final = 0.6
"""Two embeddings nearer than this are mostly of one person (dlib's dnn_face_recognition_ex)."""


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
    return dlib_files.recognition_network(file).embed(array)
