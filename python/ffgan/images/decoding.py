# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files to 8-bit RGB: JPEG by simplejpeg, the others by OpenCV. No ICC profile is applied."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED, Container, Jpeg, container
from ffgan.images.lazy_opencv import opencv
from ffgan.typing import RGB

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
        return _turn(decode_jpeg(content, shrink), orientation)
    pixels = _imdecode(content, int(opencv().IMREAD_UNCHANGED))
    return _turn(_to_rgb(pixels, premultiplied=file.kind == "TIFF"), orientation)


def decode_jpeg(data: bytes, factor: int = 1) -> RGB:
    """A JPEG's pixels at 1/``factor`` of its size (1, 2, 4 or 8), not turned.

    libjpeg also decodes what is damaged, and only warns. Its first warning is an error in strict
    mode; where it is one that costs no pixel, the file is decoded again. Raises DatasetError.
    """
    try:
        return _turbojpeg(data, factor, strict=True)
    except ValueError as error:
        message = str(error).strip()
    if _UNUSUAL_SAMPLING in message:
        # OpenCV decodes these too. Where they are damaged, its libjpeg says so on C's stderr only.
        cv2 = opencv()
        flags = cv2.IMREAD_COLOR if factor == 1 else getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}")
        return _to_rgb(_imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION), premultiplied=False)
    if not any(harmless in message for harmless in _HARMLESS):
        raise DatasetError(f"{DAMAGED}: {message}")
    try:
        return _turbojpeg(data, factor, strict=False)
    except ValueError as error:
        raise DatasetError(f"{DAMAGED}: {str(error).strip()}") from error


def _turbojpeg(data: bytes, factor: int, *, strict: bool) -> RGB:
    import simplejpeg

    height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=strict)
    height, width = -(-int(height) // factor), -(-int(width) // factor)
    # Not strict, it leaves out what comes after an error: that is black then, not left to chance.
    pixels = (np.empty if strict else np.zeros)((height, width, 3), np.uint8)
    decoded: RGB = simplejpeg.decode_jpeg(
        data, min_height=height, min_width=width, min_factor=factor, buffer=pixels, strict=strict
    )
    return decoded


def _imdecode(data: bytes, flags: int) -> NDArray[Any]:
    cv2 = opencv()
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DatasetError(DAMAGED) from error
    if pixels is None:
        raise DatasetError(DAMAGED)
    return pixels


def _reduction(width: int, height: int) -> int:
    """Of a JPEG too large to be decoded as it is: 2, 4 or 8; 1 where none of them is enough."""
    return next((s for s in (1, 2, 4, 8) if -(-width // s) * -(-height // s) <= MAX_PIXELS), 1)


def _turn(image: RGB, orientation: int) -> RGB:
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _to_rgb(pixels: NDArray[Any], *, premultiplied: bool) -> RGB:
    """OpenCV's grey, BGR or BGRA of 8 or 16 bits as 8-bit RGB; over white where it has an alpha."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DatasetError(f"pixels of type {pixels.dtype}, only 8 and 16 bits are supported")
    full = np.uint32(np.iinfo(pixels.dtype).max)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint32)
        colour = pixels[..., :3].astype(np.uint32)
        # libtiff hands out 8-bit colours already multiplied with their alpha.
        if not (premultiplied and pixels.dtype == np.uint8):
            colour = (colour * alpha + full // 2) // full
        pixels = np.minimum(colour + (full - alpha), full).astype(pixels.dtype)
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)
    cv2 = opencv()
    code = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
    rgb: RGB = cv2.cvtColor(pixels, code)
    return rgb
