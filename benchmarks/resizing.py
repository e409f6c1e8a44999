# SPDX-License-Identifier: GPL-3.0-or-later
"""Resizing by ffgan, OpenCV and Pillow: how fast, how alike, and how near to the original.

    python benchmarks/resizing.py

Prints two tables in Markdown. Milliseconds are medians of calls that alternate, on one thread but
for OpenCV, which takes what `FFGAN_NUM_THREADS` or else the machine has; `OPENCV_IPP=disabled`
shows it without Intel's library. Pictures are the packaged model's faces. docs/resizing.md shows a
result. Needs OpenCV and Pillow.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ffgan
from ffgan import images

Pixels = NDArray[np.uint8]
Resize = Callable[[Pixels, tuple[int, int]], Pixels]

REPETITIONS = 40
FACES = 63

SIZES = (
    ((1000, 1500), (162, 162)),
    ((1000, 1000), (162, 162)),
    ((162, 162), (54, 54)),
    ((162, 162), (150, 150)),
    ((162, 162), (224, 224)),
    ((162, 162), (512, 512)),
)


def by_opencv(picture: Pixels, size: tuple[int, int]) -> Pixels:
    way = cv2.INTER_CUBIC if size[0] > picture.shape[0] else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=way), np.uint8)


def by_pillow(way: Image.Resampling) -> Resize:
    def resize(picture: Pixels, size: tuple[int, int]) -> Pixels:
        return np.asarray(Image.fromarray(picture).resize(size[::-1], way))

    return resize


OTHERS: dict[str, Resize] = {
    "OpenCV": by_opencv,
    "Pillow, box": by_pillow(Image.Resampling.BOX),
    "Pillow, bicubic": by_pillow(Image.Resampling.BICUBIC),
    "Pillow, Lanczos": by_pillow(Image.Resampling.LANCZOS),
}


def milliseconds(ways: list[Resize], picture: Pixels, size: tuple[int, int]) -> list[float]:
    """The median of each way; one call after the other, so that they share what else runs."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(REPETITIONS):
        for way, spent in zip(ways, times, strict=True):
            began = time.perf_counter()
            way(picture, size)
            spent.append(1000 * (time.perf_counter() - began))
    return [statistics.median(spent) for spent in times]


def psnr(one: Pixels, other: Pixels) -> float:
    """In decibels: how near two pictures are."""
    return float(10 * np.log10(255**2 / np.square(one.astype(float) - other).mean()))


def main() -> None:
    """Print the tables."""
    faces = ffgan.generate(FACES, seed=0, tries=1)
    large = images.resize(images.grid(faces, 9)[:1000], (1000, 1500))
    ways: list[Resize] = [images.resize, *OTHERS.values()]
    print(f"OpenCV {cv2.__version__}, IPP {'on' if cv2.ipp.useIPP() else 'off'}\n")
    print("| from | to | ms | " + " | ".join(OTHERS) + " | other values than OpenCV | by |")
    print("|---" * (len(OTHERS) + 5) + "|")
    for old, new in SIZES:
        picture = large[: old[0], : old[1]] if old != (162, 162) else faces[0]
        spent = [f"{one:.3f}" for one in milliseconds(ways, picture, new)]
        apart = np.abs(images.resize(picture, new).astype(int) - by_opencv(picture, new))
        sides = [f"{height}x{width}" for height, width in (old, new)]
        cells = [*sides, *spent, f"{100 * np.mean(apart > 0):.3f} %", str(apart.max())]
        print(f"| {' | '.join(cells)} |")
    print("\n| a face, averaged, enlarged by | PSNR at 1/2 | at 1/3 |")
    print("|---|---|---|")
    for name, way in [("ffgan", images.resize), *OTHERS.items()]:
        found = [
            np.mean([psnr(way(images.resize(face, 162 // by), (162, 162)), face) for face in faces])
            for by in (2, 3)
        ]
        print(f"| {name} | {found[0]:.2f} dB | {found[1]:.2f} dB |")


if __name__ == "__main__":
    main()
