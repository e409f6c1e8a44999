# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploaded images: what is refused by their headers, and the memory that decoding them takes."""

from __future__ import annotations

from typing import Any

from ffgan import images
from ffgan.errors import DatasetError
from ffgan.images.containers import Jpeg
from ffgan.images.containers.isobmff import Isobmff
from ffgan.server.http.errors import RequestError
from ffgan.server.settings import Settings

JPEG_SCAN = b"\xff\xda"
USUAL_SCANS = 12

BYTES_PER_PIXEL = {"JPEG": 9, "PNG": 4, "WebP": 9, "HEIC": 25, "AVIF": 41}
"""Memory that decoding takes at most, by kind of file, measured with 16 bits and transparency where
the kind has them. A sequential JPEG takes less."""

OPAQUE_BYTES_PER_PIXEL = {"HEIC": 18, "AVIF": 23}
"""The same without transparency. More than 8 bits are always counted: a file may lie about them."""

REDUCED = 2
"""So many times the limit of pixels may a JPEG have that is decoded at a fraction of its size."""

SEQUENTIAL_BYTES_PER_PIXEL = 5
CONVERTED_BYTES_PER_PIXEL = 4
STRIP, STRIP_BYTES = 12 << 20, 60  # of the part of an image whose colours are being converted
SAY_COLOURS = {
    "PNG": (b"cICP", b"iCCP", b"gAMA", b"cHRM"),
    "WebP": (b"ICCP",),
    "HEIC": (b"colr",),
    "AVIF": (b"colr",),
}
BYTES = 1 << 20  # besides

MEDIA_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/heic", "image/avif"),
    "application/octet-stream",
)
"""What is described; other names of these types are taken as well, since the bytes decide."""


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES
        },
    }
}
"""An image as a request's body, as OpenAPI describes it."""


def checked(
    data: bytes, settings: Settings, at_least: int
) -> tuple[images.Container, tuple[int, int]]:
    """The file, and its height and width, by its header alone.

    ``at_least``: the side that is wanted of it, in pixels, as `images.decode` takes it.
    """
    try:
        file = images.container(data)
        if file.kind not in BYTES_PER_PIXEL or images.missing_extra(file.kind):
            *kinds, last = (kind for kind in BYTES_PER_PIXEL if not images.missing_extra(kind))
            known = f"send {', '.join(kinds)} or {last}"
            if file.kind in BYTES_PER_PIXEL:
                message = f"this server has nothing that reads {file.kind}: {known}"
            else:
                message = f"the file is a {file.kind}: {known}"
            raise RequestError(415, "unsupported_media_type", message)
        width, height = file.size
        reduced = isinstance(file, Jpeg) and file.sequential and _factor(file, at_least) > 1
    except DatasetError as error:
        raise RequestError(422, "invalid_image", str(error)) from None
    most = settings.max_pixels * (REDUCED if reduced else 1)
    if width * height > most:
        raise too_many(f"{width}x{height} pixels exceed the limit of {most}")
    # Each scan of a progressive JPEG takes the time of a whole image, even an empty one.
    scans = data.count(JPEG_SCAN) if file.kind == "JPEG" else 1
    if width * height * scans > settings.max_pixels * USUAL_SCANS:
        raise too_many(f"{scans} scans of {width}x{height} pixels take too long to decode")
    return file, (height, width)


def need(file: images.Container, at_least: int) -> int:
    """Bytes that decoding takes, at most."""
    width, height = file.size
    pixels = width * height
    if not isinstance(file, Jpeg):
        # Reading what the colours are takes longer than to see that a file does not say it.
        says = any(word in file.data for word in SAY_COLOURS[file.kind])
        strip = min(STRIP, STRIP_BYTES * pixels) if says else 0
        each = BYTES_PER_PIXEL[file.kind]
        if isinstance(file, Isobmff) and not file.transparent:
            each = OPAQUE_BYTES_PER_PIXEL[file.kind]
        return BYTES + each * pixels + strip
    # Converting colours takes a second image, and the inks, which come to RGB in any case.
    converted = file.colour_space is not None or file.components == 4
    more = CONVERTED_BYTES_PER_PIXEL if converted else 0
    if file.sequential:
        # Decoded at a fraction of its size, row by row.
        return BYTES + (SEQUENTIAL_BYTES_PER_PIXEL + more) * pixels // _factor(file, at_least) ** 2
    return BYTES + (BYTES_PER_PIXEL[file.kind] + more) * pixels


def reduction(file: images.Container, at_least: int) -> int:
    """To what part of its width and height a file is decoded: 1, or of some JPEGs 2, 4 or 8."""
    return _factor(file, at_least) if isinstance(file, Jpeg) and file.sequential else 1


def _factor(file: Jpeg, at_least: int) -> int:
    """Of what part of its width and height a JPEG is decoded."""
    return next((f for f in (8, 4, 2) if min(file.size) >= 2 * at_least * f), 1)


def too_many(message: str) -> RequestError:
    return RequestError(413, "too_many_pixels", message)
