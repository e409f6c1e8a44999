# SPDX-License-Identifier: GPL-3.0-or-later
"""What the structure of a file says before its pixels are decoded."""

from __future__ import annotations

import struct

import pytest
from support.pictures import (
    file_of,
    picture,
    png_header,
    with_alpha,
)

from ffgan import images
from ffgan.errors import DatasetError


def big_headers() -> dict[str, bytes]:
    jpeg = bytearray(file_of(picture(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65000, 65000)
    bmp = bytearray(file_of(picture(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, -100_000)
    webp = bytearray(file_of(with_alpha(picture()), "WEBP"))
    webp[24:30] = b"\xff\x3f\0\xff\x3f\0"
    return {
        "JPEG": bytes(jpeg),
        "PNG": png_header(50_000, 50_000),
        "BMP": bytes(bmp),
        "WebP": bytes(webp),
        "TIFF": file_of(picture(), "TIFF").replace(
            struct.pack("<HHII", 256, 4, 1, 40), struct.pack("<HHII", 256, 4, 1, 1 << 30)
        ),
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WebP", "TIFF"])
def test_a_decompression_bomb_is_refused_by_its_header(kind: str) -> None:
    with pytest.raises(DatasetError, match=r"\d+x\d+ pixels are more than the limit"):
        images.decode(big_headers()[kind])


def test_dimensions_need_only_the_header() -> None:
    for format in ("JPEG", "PNG", "WEBP", "BMP"):
        data = file_of(picture(300, 200).resize((300, 200)), format)
        assert images.dimensions(data[:700]) == (300, 200)
    assert images.dimensions(file_of(picture(300, 200), "TIFF")) == (300, 200)
    assert images.dimensions(file_of(picture(), "WEBP", lossless=True)) == (40, 24)
    assert images.dimensions(file_of(with_alpha(picture()), "WEBP")) == (40, 24)
