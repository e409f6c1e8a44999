# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of WebP files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from support.file_kinds.kind import COLOUR, IMAGE, RGBA, WHITE_BEHIND, Kind, by_pillow
from support.pictures import file_of


def webp(image: Image.Image = IMAGE, **options: object) -> bytes:
    return file_of(image, "WEBP", **options)


def kinds() -> Iterator[Kind]:
    still = webp(quality=90)
    yield Kind("webp-lossy", still, by_pillow(still))
    yield Kind("webp-lossless", webp(lossless=True), COLOUR)
    clear = Image.fromarray(RGBA)
    both = ("Pillow", "OpenCV with alpha")
    data = webp(clear, lossless=True, exact=True)
    yield Kind("webp-lossless-alpha", data, WHITE_BEHIND, both)
    data = webp(clear, quality=90, exact=True)
    yield Kind("webp-lossy-alpha", data, by_pillow(data), both)
    other = IMAGE.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    options = {"save_all": True, "append_images": [other], "lossless": True}
    yield Kind("webp-animated", webp(**options), COLOUR)
    data = webp(clear, **{**options, "append_images": [Image.fromarray(RGBA[::-1])]}, exact=True)
    yield Kind("webp-animated-alpha", data, WHITE_BEHIND, both)
    lossy = webp(clear, **{**options, "lossless": False, "append_images": [clear.rotate(180)]})
    yield Kind("webp-animated-lossy-alpha", lossy, by_pillow(lossy), both)
    part = Image.new("RGBA", clear.size)
    part.paste(clear.crop((10, 8, 20, 18)), (10, 8))
    data = webp(part, **{**options, "append_images": [clear]}, exact=False)
    yield Kind("webp-animated-part-of-the-picture", data, by_pillow(data), both)
    plain = webp(lossless=True)
    yield Kind("webp-bytes-behind-end", plain + b"trailing bytes", COLOUR)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = webp(lossless=True, exif=exif.tobytes())
        yield Kind(f"webp-exif-{orientation}", data, by_pillow(data))
    yield from refused(plain, still)


def refused(plain: bytes, lossy: bytes) -> Iterator[Kind]:
    def bad(name: str, data: bytes, reason: str) -> Kind:
        return Kind(f"refused-webp-{name}", data, None, (), 0, reason)

    def shorter(data: bytes, length: int) -> bytes:
        """Cut off, with the lengths in the headers put right."""
        data = data[: 20 + length]
        return (
            data[:4]
            + (len(data) - 8).to_bytes(4, "little")
            + data[8:16]
            + length.to_bytes(4, "little")
            + data[20:]
        )

    noise = webp(Image.effect_noise((60, 60), 90).convert("RGB"), lossless=True)
    yield bad("cut", plain[: len(plain) // 2], "cut off")
    yield bad("cut-with-lengths-put-right", shorter(noise, len(noise) // 4 * 2), "damaged")
    yield bad("lossy-cut-with-lengths-put-right", shorter(lossy, len(lossy) // 4 * 2), "damaged")
    wide = bytearray(webp(Image.fromarray(RGBA)))
    assert wide[12:16] == b"VP8X"
    wide[24:30] = b"\xff\x3f\0\xff\x3f\0"
    yield bad("of-16384-pixels-a-side", bytes(wide), "more than the limit")
    yield bad("no-such-chunk", plain[:12] + b"VP9 " + plain[16:], "damaged")
    assert np.array_equal(by_pillow(plain), COLOUR)
