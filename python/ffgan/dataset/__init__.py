# SPDX-License-Identifier: GPL-3.0-or-later
"""Training images: finding them in folders and archives, decoding them ahead, packing them."""

from ffgan.dataset.batches import Batch, Batches
from ffgan.dataset.dataset import Dataset
from ffgan.dataset.image_files import ImageFiles, ImageFolder, overlap
from ffgan.dataset.packed_file import packed_colour
from ffgan.dataset.packing import pack
from ffgan.images import FITS, Colour, Fit, fit_square
from ffgan.locations import printable

__all__ = [
    "FITS",
    "Batch",
    "Batches",
    "Colour",
    "Dataset",
    "Fit",
    "ImageFiles",
    "ImageFolder",
    "fit_square",
    "overlap",
    "pack",
    "packed_colour",
    "printable",
]
