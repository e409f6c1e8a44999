# SPDX-License-Identifier: GPL-3.0-or-later
"""All targets by name."""

from __future__ import annotations

from typing import Final

from fuzz import data_files, image_files, model_files, texts
from fuzz.target import Target

CLASSES: Final[tuple[type[Target], ...]] = (
    model_files.ModelFile,
    model_files.CheckpointFile,
    model_files.DnnFile,
    data_files.PackFile,
    data_files.JournalFile,
    data_files.RunRecords,
    image_files.JpegImage,
    image_files.PngImage,
    image_files.WebPImage,
    image_files.BmpImage,
    image_files.TiffImage,
    image_files.HeicImage,
    image_files.AvifImage,
    image_files.JpegXlImage,
    image_files.DngImage,
    image_files.IccProfile,
    image_files.Metadata,
    texts.SettingsFile,
    texts.Assignment,
    texts.Query,
    texts.Uploads,
)
TARGETS: Final = {target.name: target for target in CLASSES}
