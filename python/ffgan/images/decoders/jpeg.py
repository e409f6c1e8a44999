# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG by simplejpeg, which tells damage; the few files that it cannot read by OpenCV."""

from __future__ import annotations

import io
from typing import Final

import numpy as np

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED
from ffgan.images.decoders.opencv import from_opencv, imdecode
from ffgan.images.lazy_opencv import opencv
from ffgan.images.raster import Decoded, Raster

# libjpeg's warnings (jerror.h) of bytes between two segments, of headers that are not quite right,
# of a profile that nobody reads.
_HARMLESS: Final = (
    "extraneous bytes",
    "Invalid SOS parameters",
    "Inconsistent progression sequence",
    "Unknown Adobe color transform code",
    "unknown JFIF revision number",
    "bad ICC marker",
)

_UNUSUAL_SAMPLING: Final = "Could not determine subsampling level"
"""What TurboJPEG says of colours sampled in a way that has no name, as in some CMYK files."""


def decode_jpeg(data: bytes, factor: int = 1, *, inks: bool = False) -> Decoded:
    """A JPEG's pixels at 1/``factor`` of its size (1, 2, 4 or 8), with ``inks`` as CMYK.

    libjpeg also decodes what is damaged, and only warns. Its first warning is an error in strict
    mode; where it is one that costs no pixel, the file is decoded again. Raises DatasetError.
    """
    try:
        return _turbojpeg(data, factor, inks, strict=True)
    except ValueError as error:
        message = str(error).strip()
    if _UNUSUAL_SAMPLING in message and inks:
        return _inks_by_pillow(data, factor)
    if _UNUSUAL_SAMPLING in message:
        # OpenCV decodes these too. Where they are damaged, its libjpeg says so on C's stderr only.
        cv2 = opencv()
        flags = cv2.IMREAD_COLOR if factor == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}")
        return from_opencv(imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION))
    if not any(harmless in message for harmless in _HARMLESS):
        raise DatasetError(f"{DAMAGED}: {message}")
    try:
        return _turbojpeg(data, factor, inks, strict=False)
    except ValueError as error:
        raise DatasetError(f"{DAMAGED}: {str(error).strip()}") from error


def _turbojpeg(data: bytes, factor: int, inks: bool, *, strict: bool) -> Raster:
    import simplejpeg

    height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=strict)
    height, width = -(-int(height) // factor), -(-int(width) // factor)
    # Not strict, it leaves out what comes after an error: that is black then, not left to chance.
    pixels = (np.empty if strict else np.zeros)((height, width, 4 if inks else 3), np.uint8)
    decoded = simplejpeg.decode_jpeg(
        data,
        "CMYK" if inks else "RGB",
        min_height=height,
        min_width=width,
        min_factor=factor,
        buffer=pixels,
        strict=strict,
    )
    if inks:
        np.invert(decoded, out=decoded)  # Adobe, and all after it, store how much paper is left
    return Raster(decoded, "CMYK" if inks else "RGB")


def _inks_by_pillow(data: bytes, factor: int) -> Raster:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
            return Raster(np.array(image.convert("CMYK")), "CMYK")
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(DAMAGED) from error
