# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG by simplejpeg, which tells damage; what it has no name for by Pillow, with a check."""

from __future__ import annotations

import io
import re
from typing import Final

import numpy as np

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED, Jpeg
from ffgan.images.raster import Raster, strips
from ffgan.typing import RGB, UInt8

# libjpeg's warnings (jerror.h) of bytes between two segments, of headers that are not quite right,
# of a profile that nobody reads. Those of damage: "premature end of data segment", "bad Huffman
# code", "bad arithmetic code", "found marker ... instead of RST...", and "Inconsistent progression
# sequence", behind which any damage may hide.
_HARMLESS: Final = (
    "extraneous bytes",
    "Invalid SOS parameters",
    "Unknown Adobe color transform code",
    "unknown JFIF revision number",
    "bad ICC marker",
)

_BEFORE_END: Final = re.compile(r"(\d+) extraneous bytes before marker 0xd9")

STRAY_BYTES: Final = 4
"""Most bytes of any value that may be left over when all pixels are there: cameras leave some.

More are what a damaged scan leaves, unless they are all the same. libjpeg does not count what it
has read ahead.
"""

_UNUSUAL_SAMPLING: Final = "Could not determine subsampling level"
"""What TurboJPEG says of colours sampled in a way that has no name, as in some CMYK files."""


def decode_jpeg(data: bytes, factor: int = 1, *, inks: bool = False) -> Raster:
    """A JPEG's pixels at 1/``factor`` of its size (1, 2, 4 or 8), with ``inks`` as CMYK.

    libjpeg also decodes what is damaged, and only warns. Its first warning is an error in strict
    mode; the others nobody hears of. So where the first one is of what costs no pixel, that is put
    right in the bytes, and the file is decoded again. Raises DatasetError.
    """
    content = data
    try:
        return _turbojpeg(content, factor, inks, strict=True)
    except ValueError as error:
        message = str(error).strip()
    if any(harmless in message for harmless in _HARMLESS):
        file = Jpeg(data)
        # Zeros at the end of a scan are left over, or its pixels need one of them, or all.
        for zeros in (None, 1, 0):
            content = file.put_right(zeros)
            try:
                return _turbojpeg(content, factor, inks, strict=True)
            except ValueError as error:
                message = str(error).strip()
    if _UNUSUAL_SAMPLING in message:
        return _unnamed(data, factor, inks)
    left = _BEFORE_END.search(message)
    if left is None or not _stray(content, int(left[1])):
        raise DatasetError(f"{DAMAGED}: {message}")
    try:
        # Nothing can follow that warning: all pixels are there when the end is looked for.
        return _turbojpeg(content, factor, inks, strict=False)
    except ValueError as error:
        raise DatasetError(f"{DAMAGED}: {str(error).strip()}") from error


def _stray(data: bytes, count: int) -> bool:
    """Whether the last so many bytes before the end of the image may be no part of it."""
    last = data[:-2].rstrip(b"\xff")[-count:]
    return count <= STRAY_BYTES or len(set(last)) == 1


def _turbojpeg(data: bytes, factor: int, inks: bool, *, strict: bool) -> Raster:
    import simplejpeg

    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=strict)
    except KeyError as error:  # TurboJPEG has a name, which simplejpeg does not know: 4:4:1
        raise ValueError(_UNUSUAL_SAMPLING) from error
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


# --- Colours sampled in a way that has no name ---

_READ_AHEAD: Final = 8
"""Bytes that libjpeg wants to see behind the last pixel, at most."""


def _unnamed(data: bytes, factor: int, inks: bool) -> Raster:
    """By Pillow, which hears of no warning but of data that come to an end too early.

    So the end of the image is taken away: data that are cut off, or of which some are left over,
    show. That says nothing where there are several scans, or places to start again.
    """
    file = Jpeg(data)
    if not file.sequential or len(file.scans) > 1 or file.restarts:
        raise DatasetError(
            "its colours are sampled in an unusual way, in which damage cannot be told: "
            "save it anew as an ordinary JPEG or PNG"
        )
    content = file.put_right()[:-2]
    if _pillow(content[: -2 * _READ_AHEAD], 8, inks) is not None:
        raise DatasetError(f"{DAMAGED}: data are left over behind the last pixel")
    pixels = _pillow(content + bytes(_READ_AHEAD), factor, inks)
    if pixels is None:
        raise DatasetError(f"{DAMAGED}: premature end of data")
    if pixels.shape[2] == 1:
        return Raster(pixels[..., 0], "L")
    return Raster(pixels, "CMYK" if pixels.shape[2] == 4 else "RGB")


def _pillow(data: bytes, factor: int, inks: bool) -> UInt8 | None:
    """Pillow's pixels, (h, w, 1) grey, RGB or, with ``inks``, CMYK, 0 no ink.

    None where the data come to an end too early.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            width, height = image.size
            image.draft(image.mode, (max(1, width // factor), max(1, height // factor)))
            image.load()
            converts = image.mode == "CMYK" and not inks
            channels = 3 if converts else len(image.getbands())
            pixels = np.empty((image.height, image.width, channels), np.uint8)
            for rows in strips(pixels.shape):
                part = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
                part = _from_cmyk(part) if converts else part
                pixels[rows] = part.reshape(*part.shape[:2], -1)
            return pixels
    except (OSError, SyntaxError, ValueError):
        return None


def _from_cmyk(ink: UInt8) -> RGB:
    """RGB of (h, w, 4) CMYK, 0 no ink, without a profile: as simplejpeg and OpenCV convert it."""
    light = 255 - ink[..., 3:].astype(np.uint16)
    rgb: RGB = (light - (ink[..., :3] * light >> 8)).astype(np.uint8)
    return rgb
