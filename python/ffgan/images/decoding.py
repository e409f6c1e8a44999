# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files to upright 8-bit RGB over white: what is decoded how, and by what."""

from __future__ import annotations

from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.containers import Container, Jpeg, container
from ffgan.images.decoders.jpeg import decode_jpeg
from ffgan.images.decoders.opencv import decode_by_opencv
from ffgan.images.raster import Decoded, to_rgb
from ffgan.typing import RGB

MAX_PIXELS: Final = 100_000_000
"""Decoding refuses images of more pixels: 100 million take 800 MB as 16-bit RGBA."""


def decode(data: bytes | Container, *, at_least: int | None = None, reduce: bool = False) -> RGB:
    """The image in a JPEG, PNG, WebP, BMP or TIFF file, its bytes or container, as (h, w, 3) RGB.

    Grey and palette become RGB, CMYK is converted without a profile, 16 bits are rounded to 8,
    transparency is laid over white, EXIF orientation is applied, of several frames the first
    is taken. With ``at_least`` a large JPEG may come at 1/2, 1/4 or 1/8 of its size, as long as its
    shorter side keeps twice that many pixels; this is faster. With ``reduce`` a JPEG of more than
    MAX_PIXELS comes at the first of these sizes that has fewer, unless it is progressive, since
    such a file is unpacked whole.

    Raises DatasetError with the reason alone (the caller knows the name) otherwise:
    another type, a file that is cut off or damaged, more than MAX_PIXELS pixels.
    """
    file = data if isinstance(data, Container) else container(data)
    width, height = file.size
    shrink = 1
    if reduce and isinstance(file, Jpeg) and file.sequential:
        shrink = _reduction(width, height)
    if width * height > MAX_PIXELS and shrink == 1:
        raise DatasetError(
            f"{width}x{height} pixels are more than the limit of {MAX_PIXELS // 10**6} million"
        )
    orientation, content = file.check()
    if isinstance(file, Jpeg):
        for factor in (8, 4, 2) if at_least else ():
            if min(width, height) >= 2 * (at_least or 0) * factor:
                shrink = max(shrink, factor)
                break
    return to_rgb(_decoded(file, content, shrink), orientation, None)


def _decoded(file: Container, content: bytes, shrink: int) -> Decoded:
    """The pixels of a file, as they are stored, by the decoder of its kind."""
    if isinstance(file, Jpeg):
        return decode_jpeg(content, shrink)
    return decode_by_opencv(content, premultiplied=file.kind == "TIFF")


def _reduction(width: int, height: int) -> int:
    """Of a JPEG too large to be decoded as it is: 2, 4 or 8; 1 where none of them is enough."""
    return next((s for s in (1, 2, 4, 8) if -(-width // s) * -(-height // s) <= MAX_PIXELS), 1)
