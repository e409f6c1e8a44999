# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of image files: what decoders do not tell.

The size before anything is allocated, EXIF orientation, whether the file is whole. Each format has
a class; an object holds a file's bytes and parses them once.
"""

from __future__ import annotations

from ffgan.errors import DatasetError
from ffgan.images.chunks import PNG_SIGNATURE
from ffgan.images.containers.base import CUT_OFF, DAMAGED, Container
from ffgan.images.containers.bmp import Bmp
from ffgan.images.containers.dng import Dng, is_dng
from ffgan.images.containers.isobmff import AVIF_BRANDS, HEIC_BRANDS, Avif, Heic, brands
from ffgan.images.containers.jpeg import Jpeg
from ffgan.images.containers.jxl import BOXES, CODESTREAM, JpegXl
from ffgan.images.containers.png import Png
from ffgan.images.containers.sniff import SNIFFED, UNKNOWN, describe
from ffgan.images.containers.tiff import Tiff
from ffgan.images.containers.webp import WebP

__all__ = [
    "CUT_OFF",
    "DAMAGED",
    "SNIFFED",
    "UNKNOWN",
    "Avif",
    "Bmp",
    "Container",
    "Dng",
    "Heic",
    "Jpeg",
    "JpegXl",
    "Png",
    "Tiff",
    "WebP",
    "container",
    "describe",
    "dimensions",
    "file_type",
]


def container(data: bytes) -> Container:
    """The structure of a file by its first bytes.

    Raises DatasetError, which names what it is, for a kind that is not read.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return Jpeg(data)
    if data.startswith(PNG_SIGNATURE):
        return Png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebP(data)
    if data.startswith(b"BM"):
        return Bmp(data)
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return Dng(data) if is_dng(data) else Tiff(data)
    if data.startswith((CODESTREAM, BOXES)):
        return JpegXl(data)
    found = brands(data)
    if found & AVIF_BRANDS:
        return Avif(data)
    if found & HEIC_BRANDS:
        return Heic(data)
    if not data:
        raise DatasetError("the file is empty")
    kind = describe(data)
    known = "" if kind == UNKNOWN else f"{kind}, "
    raise DatasetError(f"{known}not a JPEG, PNG, WebP, BMP, TIFF, AVIF, HEIC, JPEG XL or DNG")


def file_type(data: bytes) -> str:
    """JPEG, PNG, HEIC, ..., by the first bytes; raises DatasetError for a kind that is not read."""
    return container(data).kind


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height, in pixels, as the header says; mostly the file's first 64 KB are enough.

    EXIF orientation is not applied. Raises DatasetError where there is no such header.
    """
    return container(data).size
