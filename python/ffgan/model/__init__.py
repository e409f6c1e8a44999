# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained model: load it, make faces with it, score images with it, save it."""

from ffgan.model.candidate_search import DEFAULT_TRIES, MAX_TRIES, Face
from ffgan.model.file import (
    by_network,
    packaged_model,
    read_model,
    save_model,
    with_metadata,
    write_file,
)
from ffgan.model.model import BF16, DEFAULT_PRECISION, PRECISIONS, Model, Precision, empty_images

__all__ = [
    "BF16",
    "DEFAULT_PRECISION",
    "DEFAULT_TRIES",
    "MAX_TRIES",
    "PRECISIONS",
    "Face",
    "Model",
    "Precision",
    "by_network",
    "empty_images",
    "packaged_model",
    "read_model",
    "save_model",
    "with_metadata",
    "write_file",
]
