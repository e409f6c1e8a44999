# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: images of each format, and the text metadata in them."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ffgan import images
from ffgan.errors import DatasetError
from fuzz.mutation import one_byte_string
from fuzz.target import MEBIBYTE, Target

WIDTH, HEIGHT = 40, 24


def picture(mode: str = "RGB") -> Any:
    """A small picture with edges and slopes, by Pillow."""
    from PIL import Image

    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([rows * 9, columns * 6, (rows // 4 + columns // 4) % 2 * 200], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def saved(mode: str, format: str, **options: Any) -> bytes:
    """The picture as a file."""
    content = io.BytesIO()
    picture(mode).save(content, format, **options)
    return content.getvalue()


def exif(orientation: int) -> bytes:
    """EXIF data with an orientation."""
    from PIL import Image

    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


class ImageFile(Target):
    """Images of one format, decoded whole and reduced."""

    own = (DatasetError,)

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        images.opencv().setNumThreads(1)
        self.seeds = self.make()
        for data in self.seeds:
            self.run(data)

    def make(self) -> list[bytes]:
        """Valid files."""
        raise NotImplementedError

    def input(self, random: Random) -> bytes:
        return one_byte_string(random, random.choice(self.seeds), self.seeds)

    def run(self, data: bytes) -> None:
        images.file_type(data)
        file = images.container(data)
        width, height = file.size
        image = images.decode(file)
        assert image.dtype == np.uint8 and image.flags.c_contiguous
        assert sorted(image.shape) == sorted((height, width, 3)), (image.shape, file.size)
        images.decode(data, at_least=4, reduce=True)

    def bound(self, data: bytes) -> int:
        # Of 16-bit RGBA: the decoder's samples, a copy in another order, and rows on the way.
        return 64 * MEBIBYTE + 20 * len(data) + 24 * _pixels(data)


def _pixels(data: bytes) -> int:
    """The pixels that the header names, none where it is refused anyway."""
    try:
        width, height = images.dimensions(data)
    except DatasetError:
        return 0
    return width * height if width * height <= images.MAX_PIXELS else 0


class JpegImage(ImageFile):
    """Baseline, progressive, grey, CMYK and turned JPEGs, with restarts and other parts."""

    name = "jpeg"

    def make(self) -> list[bytes]:
        return [
            saved("RGB", "JPEG"),
            saved("RGB", "JPEG", progressive=True, quality=95, subsampling=0),
            saved("L", "JPEG"),
            saved("CMYK", "JPEG"),
            saved("RGB", "JPEG", exif=exif(6), comment=b"text"),
            saved("RGB", "JPEG", restart_marker_blocks=2),
            saved("RGB", "JPEG", icc_profile=bytes(300)),
        ]


class PngImage(ImageFile):
    """PNGs of all colour types, depths, and transparency, also interlaced."""

    name = "png"

    def make(self) -> list[bytes]:
        import cv2
        from PIL import PngImagePlugin

        text = PngImagePlugin.PngInfo()
        text.add_text("comment", "text", zip=True)
        deep = np.arange(WIDTH * HEIGHT * 3, dtype=np.uint16).reshape(HEIGHT, WIDTH, 3) * 20
        return [
            saved("RGB", "PNG"),
            saved("RGBA", "PNG", exif=exif(8)),
            saved("L", "PNG", transparency=0),
            saved("LA", "PNG"),
            saved("P", "PNG", transparency=3),
            saved("1", "PNG"),
            saved("RGB", "PNG", transparency=(0, 0, 200), pnginfo=text, icc_profile=bytes(300)),
            cv2.imencode(".png", deep)[1].tobytes(),
        ]


class WebPImage(ImageFile):
    """WebPs, lossy and lossless, with transparency, animated."""

    name = "webp"

    def make(self) -> list[bytes]:
        return [
            saved("RGB", "WEBP"),
            saved("RGB", "WEBP", lossless=True),
            saved("RGBA", "WEBP", exif=exif(3)),
            saved("RGBA", "WEBP", lossless=True),
            saved("RGB", "WEBP", save_all=True, append_images=[picture().rotate(180)]),
        ]


class BmpImage(ImageFile):
    """BMPs of 1 to 32 bits."""

    name = "bmp"

    def make(self) -> list[bytes]:
        return [saved(mode, "BMP") for mode in ("RGB", "RGBA", "P", "L", "1")]


class TiffImage(ImageFile):
    """TIFFs, plain and compressed."""

    name = "tiff"

    def make(self) -> list[bytes]:
        compressions = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
        files = [saved("RGB", "TIFF", compression=compression) for compression in compressions]
        return [
            *files,
            saved("RGBA", "TIFF"),
            saved("L", "TIFF", tiffinfo={0x0112: 6}),
            saved("LA", "TIFF"),
            saved("P", "TIFF"),
            saved("1", "TIFF", compression="group4"),
        ]


class Metadata(Target):
    """The text metadata of PNG, JPEG and WebP files."""

    name = "metadata"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        pixels = np.zeros((2, 2, 3), np.uint8)
        texts = {"program": "ffgan", "seed": "7", "name": "<é & ü>"}
        self.seeds = [
            images.encode(pixels, format, metadata=texts) for format in ("png", "jpg", "webp")
        ]
        self.seeds.append(saved("RGB", "JPEG", comment=b"text"))
        for data in self.seeds:
            self.run(data)

    def input(self, random: Random) -> bytes:
        return one_byte_string(random, random.choice(self.seeds), self.seeds)

    def run(self, data: bytes) -> None:
        for name, text in images.read_metadata(data).items():
            assert isinstance(name, str) and isinstance(text, str)
