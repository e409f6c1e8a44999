# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and their files, as Pillow makes and reads them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ffgan import images


def picture(width: int = 40, height: int = 24) -> Image.Image:
    """Smooth, coloured, and different in each corner."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x // (width - 1), 255 * y // (height - 1)
    return Image.fromarray(np.stack([red, green, 255 - red], axis=2).astype(np.uint8))


def file_of(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def pillow(data: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def assert_like_pillow(data: bytes, tolerance: int = 1) -> None:
    ours, theirs = images.decode(data), pillow(data)
    assert ours.dtype == np.uint8
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= tolerance


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    ramp = np.linspace(0, 255, image.width).astype(np.uint8)
    image.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    return image


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + body + struct.pack(">I", zlib.crc32(body))


def damage(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    damaged = bytearray(data)
    for at, change in changes:
        place = at % len(data)
        damaged[place : place + len(change)] = change
    return bytes(damaged)


changes_of_bytes = st.lists(
    st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=4
)
