# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding takes no more memory than its bound says, whatever valid file comes."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.file_kinds.tiffs import lzw
from support.file_kinds.writers import bmp, chunk, png, tiff
from support.pictures import exif, file_of

from ffgan import images
from ffgan.errors import DatasetError
from ffgan.images.decoding import BYTES_PER_PIXEL

WIDTH, HEIGHT = 2400, 1600
PIXELS = WIDTH * HEIGHT
CONSTANT = 16e6

CHILD = """
import sys
from ffgan import images
import PIL.Image, PIL.JpegImagePlugin, PIL.TiffImagePlugin, simplejpeg

def field(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return 1024 * int(line.split()[1])

images.decode(open(sys.argv[2], "rb").read())  # loads what it takes
data = open(sys.argv[1], "rb").read()
open("/proc/self/clear_refs", "w").write("5")
before = field("VmRSS")
images.decode(data)
print(field("VmHWM") - before)
"""


def samples(channels: int, width: int, height: int) -> np.ndarray:
    tile = np.random.default_rng(0).integers(0, 256, (100, 100, channels), dtype=np.uint8)
    return np.tile(tile, (height // 100, width // 100, 1))


def wide(channels: int, width: int, height: int) -> np.ndarray:
    return samples(channels, width, height).astype(np.uint16) * 257


def deep_png(width: int, height: int, *, interlaced: bool = False) -> bytes:
    """Of 16 bits with alpha, its rows in a plain filter, so that making it takes no time."""
    if interlaced:
        return png(wide(4, width, height), 6, 16, interlaced=True)
    rows = wide(4, width, height).astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.pad(rows, ((0, 0), (1, 0)), constant_values=1)
    whole = png(np.zeros((1, 1, 4), np.uint16), 6, 16)

    header = chunk(b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big") + whole[24:29])
    pixels = chunk(b"IDAT", zlib.compress(filtered.tobytes(), 1))
    return whole[:8] + header + pixels + chunk(b"IEND", b"")


def jpeg(mode: str, width: int, height: int, **options: object) -> bytes:
    image = Image.fromarray(samples(4 if mode == "CMYK" else 3, width, height), mode)
    return file_of(image, "JPEG", **{"subsampling": 0, **options})


def alpha_bmp(width: int, height: int) -> bytes:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = samples(4, width, height).tobytes()
    return bmp(pixels, width, height, 32, header=108, compression=3, masks=masks)


def deep_tiff(width: int, height: int, compression: int) -> bytes:
    """Of 16 bits with alpha, in one strip."""
    pixels = wide(4, width, height)
    pack = {1: np.ndarray.tobytes, 5: lzw, 8: lambda each: zlib.compress(each.tobytes(), 1)}
    tags = {258: [16] * 4, 259: compression, 262: 2, 277: 4, 278: height}
    return tiff(width, height, [pack[compression](pixels)], tags)


def webp(width: int, height: int, **options: object) -> bytes:
    image = Image.fromarray(samples(4, width, height))
    return file_of(image, "WEBP", method=0, **options)


KINDS: dict[str, tuple[float, Callable[[int, int], bytes]]] = {
    "png": (5, deep_png),
    "jpeg": (3.5, lambda w, h: jpeg("RGB", w, h)),
    "jpeg-turned": (6.5, lambda w, h: jpeg("RGB", w, h, exif=exif(6))),
    "jpeg-progressive": (9.5, lambda w, h: jpeg("RGB", w, h, progressive=True)),
    "jpeg-cmyk-progressive": (12.5, lambda w, h: jpeg("CMYK", w, h, progressive=True)),
    "jpeg-cmyk-unnamed-sampling": (9, lambda w, h: jpeg("CMYK", w, h, subsampling=2)),
    "webp-lossless": (9, lambda w, h: webp(w, h, lossless=True)),
    "webp-lossy": (9.5, webp),
    "bmp": (5, alpha_bmp),
    "tiff-plain": (5, lambda w, h: deep_tiff(w, h, 1)),
    "tiff-deflated": (5, lambda w, h: deep_tiff(w, h, 8)),
    "tiff-lzw": (BYTES_PER_PIXEL, lambda w, h: deep_tiff(w, h, 5)),
}
"""Bytes for each pixel of the file, and what makes one."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_decoding_stays_within_its_bound(kind: str, tmp_path: Path) -> None:
    each, make = KINDS[kind]
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(make(WIDTH, HEIGHT))
    small.write_bytes(make(200, 200))
    command = [sys.executable, "-c", CHILD, str(large), str(small)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert each <= BYTES_PER_PIXEL
    assert int(result.stdout) <= each * PIXELS + CONSTANT
    known_before = images.memory_of(images.container(large.read_bytes()))
    assert int(result.stdout) <= known_before + CONSTANT


def test_what_decoding_will_take_is_known_from_the_header() -> None:
    pixels = 1200 * 800
    plain, progressive = jpeg("RGB", 1200, 800), jpeg("RGB", 1200, 800, progressive=True)
    whole, unpacked = (images.memory_of(images.container(f)) for f in (plain, progressive))
    reduced, still_unpacked = (
        images.memory_of(images.container(f), at_least=100) for f in (plain, progressive)
    )
    assert (whole, reduced) == (6 * pixels, 6 * pixels // 16)
    assert (unpacked, still_unpacked) == (9 * pixels, 9 * pixels)
    lossless = images.container(webp(1200, 800, lossless=True))
    assert images.memory_of(lossless) == 9 * pixels
    large = bytearray(alpha_bmp(100, 100))
    large[18:26] = 2 * (20_000).to_bytes(4, "little")
    assert images.memory_of(images.container(bytes(large))) == 0  # it is refused
    with pytest.raises(DatasetError):
        images.memory_of(images.container(plain[:30]))
