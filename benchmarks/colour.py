# SPDX-License-Identifier: GPL-3.0-or-later
"""What converting colours to sRGB costs per image, beside decoding alone.

    python benchmarks/colour.py [--size 4032x3024] [--repetitions 7]

Decodes the same picture with each kind of colours, with ``colour`` "ignore" and "convert" in turn,
and prints the medians in milliseconds of processor time and their ratio, a table in Markdown: the
ratios are of one run, and hold on other machines. Nothing is written. docs/dataset.md shows a
result.

Needs Pillow, OpenCV and the extra `photos`.
"""

from __future__ import annotations

import argparse
import io
import statistics
import struct
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from ffgan import images
from ffgan.images import Colour

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # profiles made by hand

from support import profiles


def picture(width: int, height: int) -> np.ndarray:
    """Smooth with some noise, like a photograph."""
    y, x = np.mgrid[0:height, 0:width]
    waves = 100 + 50 * np.sin(x / 97) + 40 * np.cos(y / 61)
    noise = np.random.default_rng(0).normal(0, 4, (height, width))
    grey = waves + noise
    return np.clip(np.stack([grey + 20, grey, grey - 20], axis=2), 0, 255).astype(np.uint8)


def file_of(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def files(pixels: np.ndarray) -> dict[str, bytes]:
    """A file of each kind of colours."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    p3 = profiles.rgb_profile(profiles.P3, profiles.srgb_light)
    adobe = profiles.rgb_profile(profiles.ADOBE, profiles.gamma(2.19921875))
    grey = profiles.grey_profile(profiles.gamma(1.8))
    inks = profiles.ink_profile(lambda c, m, y, k: (100 - 24 * (c + m + y + k), 20 * m, 20 * y))
    image = Image.fromarray(pixels)
    heic = io.BytesIO()
    pillow_heif.from_pillow(image).save(heic, quality=60, icc_profile=p3)
    deep = cv2.imencode(".png", (pixels.astype(np.uint16) * 257)[..., ::-1])[1].tobytes()
    codes = file_of(image, "PNG", compress_level=1)
    return {
        "JPEG, no profile": file_of(image, "JPEG", quality=90),
        "JPEG, sRGB profile": file_of(image, "JPEG", quality=90, icc_profile=srgb),
        "JPEG, Display P3": file_of(image, "JPEG", quality=90, icc_profile=p3),
        "JPEG, Adobe RGB": file_of(image, "JPEG", quality=90, icc_profile=adobe),
        "JPEG, grey of gamma 1.8": file_of(
            image.convert("L"), "JPEG", quality=90, icc_profile=grey
        ),
        "JPEG, CMYK": file_of(image.convert("CMYK"), "JPEG", quality=90, icc_profile=inks),
        "HEIC, Display P3": heic.getvalue(),
        "PNG, P3 by codes": profiles.with_chunk(codes, b"cICP", struct.pack("4B", 12, 13, 0, 1)),
        "PNG of 16 bits, Adobe RGB": profiles.with_profile(deep, adobe),
    }


def milliseconds(data: bytes, at_least: int | None, repetitions: int) -> dict[Colour, float]:
    taken: dict[Colour, list[float]] = {"ignore": [], "convert": []}
    for colour in images.COLOURS:
        images.decode(data, at_least=at_least, colour=colour)
    for _ in range(repetitions):
        for colour in images.COLOURS:
            start = time.process_time()
            images.decode(data, at_least=at_least, colour=colour)
            taken[colour].append((time.process_time() - start) * 1000)
    return {colour: statistics.median(times) for colour, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="4032x3024", help="of the picture (default: %(default)s)")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    made = files(picture(width, height))
    print(f"{width}x{height}, medians of {arguments.repetitions}, processor time\n")
    print("| file | ignored, ms | converted, ms | ratio |")
    print("|---|---|---|---|")
    for at_least in (None, 162):
        for name, data in made.items():
            if at_least is not None and not name.startswith("JPEG"):
                continue
            taken = milliseconds(data, at_least, arguments.repetitions)
            what = name if at_least is None else f"{name}, made smaller for training"
            ratio = taken["convert"] / taken["ignore"]
            print(f"| {what} | {taken['ignore']:.1f} | {taken['convert']:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
