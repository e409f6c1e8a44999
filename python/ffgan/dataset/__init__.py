# SPDX-License-Identifier: GPL-3.0-or-later
"""Training images: finding them in a folder, decoding them ahead in threads, packing them."""

from ffgan.dataset.batches import Batches
from ffgan.dataset.dataset import Dataset
from ffgan.dataset.folder import ImageFolder, overlap
from ffgan.dataset.names import printable
from ffgan.dataset.packed_file import packed_colour
from ffgan.dataset.packing import pack
from ffgan.images import FITS, Colour, Fit, fit_square

__all__ = [
    "FITS",
    "Batches",
    "Colour",
    "Dataset",
    "Fit",
    "ImageFolder",
    "fit_square",
    "overlap",
    "pack",
    "packed_colour",
    "printable",
]
