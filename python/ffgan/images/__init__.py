# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files in and out: decoding to 8-bit RGB, encoding with text metadata, resizing, grids.

Images are numpy arrays (height, width, 3), uint8, RGB. OpenCV is imported at the first use, and so
is what reads files: who only writes some need not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ffgan.images.encoding import (
    DEFAULT_QUALITY,
    WEBP_MAX_SIDE,
    Format,
    encode,
    encoder,
    format_of,
    save,
)
from ffgan.images.kinds import EXTRAS, lacks_extra, missing_extra, suffixes
from ffgan.images.labels import labelled_grid
from ffgan.images.lazy_opencv import import_opencv_meanwhile, opencv
from ffgan.images.metadata_writing import MAX_TEXT
from ffgan.images.room import Room
from ffgan.images.transforms import FITS, RESIZING, Fit, fit_square, grid, resize, sheet

if TYPE_CHECKING:
    from ffgan.images.colour import COLOUR_NOTES, COLOURS, Colour, Colours
    from ffgan.images.containers import (
        SNIFFED,
        Container,
        container,
        describe,
        dimensions,
        file_type,
    )
    from ffgan.images.decoding import MAX_PIXELS, Picture, decode, decode_picture, memory_of
    from ffgan.images.metadata import METADATA_WITHIN, made_by_ffgan, read_metadata

__all__ = [
    "COLOURS",
    "COLOUR_NOTES",
    "DEFAULT_QUALITY",
    "EXTRAS",
    "FITS",
    "MAX_PIXELS",
    "MAX_TEXT",
    "METADATA_WITHIN",
    "RESIZING",
    "SNIFFED",
    "WEBP_MAX_SIDE",
    "Colour",
    "Colours",
    "Container",
    "Fit",
    "Format",
    "Picture",
    "Room",
    "container",
    "decode",
    "decode_picture",
    "describe",
    "dimensions",
    "encode",
    "encoder",
    "file_type",
    "fit_square",
    "format_of",
    "grid",
    "import_opencv_meanwhile",
    "labelled_grid",
    "lacks_extra",
    "made_by_ffgan",
    "memory_of",
    "missing_extra",
    "opencv",
    "read_metadata",
    "resize",
    "save",
    "sheet",
    "suffixes",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in ("colour", "containers", "decoding", "metadata"):
            found = importlib.import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                value = globals()[name] = getattr(found, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
