# SPDX-License-Identifier: GPL-3.0-or-later
"""All targets by name; each is imported, with what it reads, only where it is run."""

from __future__ import annotations

import importlib
from typing import Final

from fuzz.target import Target

CLASSES: Final = {
    "model": "model_files.ModelFile",
    "checkpoint": "model_files.CheckpointFile",
    "dnn": "model_files.DnnFile",
    "pack": "data_files.PackFile",
    "journal": "data_files.JournalFile",
    "run": "data_files.RunRecords",
    "latent": "data_files.LatentFile",
    "attributes": "attribute_maps.AttributeMapText",
    "zip": "sources.ZipFile",
    "tar": "sources.TarFile",
    "compressed_tar": "sources.CompressedTarFile",
    "parquet": "sources.ParquetFile",
    "lmdb": "sources.LmdbFile",
    "jpeg": "image_files.JpegImage",
    "png": "image_files.PngImage",
    "webp": "image_files.WebPImage",
    "bmp": "image_files.BmpImage",
    "tiff": "image_files.TiffImage",
    "heic": "image_files.HeicImage",
    "avif": "image_files.AvifImage",
    "jxl": "image_files.JpegXlImage",
    "dng": "image_files.DngImage",
    "icc": "image_files.IccProfile",
    "metadata": "image_files.Metadata",
    "settings": "texts.SettingsFile",
    "set": "texts.Assignment",
    "query": "texts.Query",
    "latents": "texts.Uploads",
}


def make(name: str) -> Target:
    """The target of one of these names."""
    module, _, class_name = CLASSES[name].partition(".")
    made: Target = getattr(importlib.import_module(f"fuzz.{module}"), class_name)()
    assert made.name == name
    return made
