# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: images of each format, and the text metadata in them."""

from __future__ import annotations

import zlib
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from support import heif, profiles
from support.dng import dng
from support.pictures import exif, file_of, picture

from ffgan import images
from ffgan.errors import DatasetError
from fuzz.mutation import one_byte_string
from fuzz.target import MEBIBYTE, Target


def saved(mode: str, format: str, **options: Any) -> bytes:
    """A small picture as a file."""
    return file_of(picture().convert(mode), format, **options)


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
        assert image.shape[2] == 3 and image.size <= 3 * width * height
        if file.kind not in ("AVIF", "HEIC"):  # of these, pictures are cut
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
        deep = np.arange(40 * 24 * 3, dtype=np.uint16).reshape(24, 40, 3) * 20
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

    def input(self, random: Random) -> bytes:
        data = super().input(random)
        return _with_checksums(data) if random.random() < 0.7 else data


def _with_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks have the checksums of what is in them now."""
    made = bytearray(data)
    at = 8
    while at + 12 <= len(made):
        end = at + 8 + int.from_bytes(made[at : at + 4], "big")
        if end + 4 > len(made):
            break
        made[end : end + 4] = zlib.crc32(made[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(made)


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


class HeicImage(ImageFile):
    """HEIC: plain, of ten bits, grey, transparent, turned, cropped, of tiles."""

    name = "heic"
    format = "HEIC"

    def make(self) -> list[bytes]:
        pixels = np.array(picture(64, 64))
        turns = ((b"irot", b"\1"), (b"imir", b"\0"), heif.codes(12, 13))
        return [
            heif.picture_file(pixels, self.format),
            heif.picture_file(pixels.astype(np.uint16) * 257, self.format),
            heif.picture_file(pixels, self.format, *turns),
            heif.grid_file([pixels] * 4, 2, (100, 90), self.format),
            saved("RGBA", self.pillow),
            saved("L", self.pillow, exif=exif(6)),
        ]

    @property
    def pillow(self) -> str:
        """Pillow's name of the format."""
        import pillow_heif

        pillow_heif.register_heif_opener()
        return {"HEIC": "HEIF"}.get(self.format, self.format)


class AvifImage(HeicImage):
    """The same of AVIF."""

    name = "avif"
    format = "AVIF"


class JpegXlImage(ImageFile):
    """JPEG XL: bare and in boxes, lossy and lossless, transparent, deep, a JPEG packed."""

    name = "jxl"

    def make(self) -> list[bytes]:
        import pillow_jxl

        assert pillow_jxl.Encoder  # importing it taught Pillow the format
        return [
            saved("RGB", "JXL", lossless=True),
            saved("RGB", "JXL", quality=90, use_container=True),
            saved("RGBA", "JXL", lossless=True),
            saved("L", "JXL", lossless=True),
            saved("RGB", "JXL", lossless=True, exif=exif(6).tobytes()),
        ]


class DngImage(ImageFile):
    """The previews of raw photographs."""

    name = "dng"

    def make(self) -> list[bytes]:
        preview, small = file_of(picture(100, 60), "JPEG"), saved("RGB", "JPEG")
        files = [dng(preview, small, orientation=6, raw=(40, 24)), dng(preview, raw=(40, 24))]
        return [*files, dng(small, preview, raw=(40, 24), more={50970: 3})]


class IccProfile(ImageFile):
    """Colour profiles in JPEG, PNG and TIFF, and PNG's own chunks about colours."""

    name = "icc"

    def make(self) -> list[bytes]:
        adobe = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
        rgb = profiles.rgb_profile(adobe, profiles.gamma(2.2))
        grey = profiles.grey_profile(profiles.gamma(1.8))
        inks = profiles.ink_profile(lambda c, m, y, k: (100 - 20 * (c + m + y + k), 0.0, 0.0))
        return [
            saved("RGB", "JPEG", icc_profile=rgb),
            saved("L", "JPEG", icc_profile=grey),
            saved("CMYK", "JPEG", icc_profile=inks),
            saved("RGB", "TIFF", icc_profile=rgb),
        ]

    def input(self, random: Random) -> bytes:
        data = random.choice(self.seeds)
        start = data.find(b"acsp") - 36
        end = start + int.from_bytes(data[start : start + 4], "big")
        changed = one_byte_string(random, data[start:end])
        # Of the same length, or the file is damaged rather than the profile.
        return data[:start] + changed[: end - start].ljust(end - start, b"\0") + data[end:]


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
