# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a picture's bytes on its way out and into training, as digests.

`python tests/support/same_bytes.py` needs ffgan alone. It prints what is not as it should be, and
ends with status 1 then: so it can be run where there is no pytest, as on an emulated processor.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffgan import images
from ffgan.dataset import Dataset

FACE = (162, 162)

SIZES = (
    # What is asked of faces, and what feature networks, the audit and the like take.
    (FACE, (150, 150)),
    (FACE, (224, 224)),
    (FACE, (512, 512)),
    (FACE, (1024, 1024)),
    (FACE, (54, 54)),
    (FACE, (32, 32)),
    (FACE, (16, 16)),
    (FACE, (1, 1)),
    (FACE, (163, 161)),
    # Photographs, and what else is found in folders.
    ((1000, 1500), (162, 162)),
    ((701, 467), (162, 162)),
    ((97, 203), (162, 162)),
    ((5, 7), (162, 162)),
    ((1, 1), (162, 162)),
    ((3, 4000), (300, 7)),
)
"""Pairs of heights and widths: from, to."""


def drawn(height: int, width: int) -> NDArray[np.uint8]:
    """A picture of whole numbers only: slopes, edges and noise, up to both ends of the range."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    slopes = np.stack([255 * x // max(width - 1, 1), 255 * y // max(height - 1, 1), 3 * x + y], -1)
    edges = ((7 * x // width + 5 * y // height) % 2 * 255)[..., None]
    noise = np.random.default_rng(21).integers(0, 64, (height, width, 3))
    blended = (slopes % 256 + edges) // 2 + noise - 32
    return np.clip(blended, 0, 255).astype(np.uint8)


def resized() -> dict[str, str]:
    """Of pictures in other sizes."""
    return {
        f"{height}x{width} to {rows}x{columns}": _digest(
            images.resize(drawn(height, width), (rows, columns))
        )
        for (height, width), (rows, columns) in SIZES
    }


def sheets() -> dict[str, str]:
    """Of several pictures in one."""
    faces = np.stack([np.roll(drawn(*FACE), 40 * turn, axis=1) for turn in range(5)])
    small = np.stack([images.resize(face, 80) for face in faces])
    return {
        "grid": _digest(images.grid(small)),
        "sheet, smaller": _digest(images.resize(images.grid(faces, 2), (200, 150))),
        "labelled": _digest(images.labelled_grid([small[:3]], above=["a", "b8", "c"])),
    }


def files() -> dict[str, str]:
    """Of files: written, and JPEGs read at several scales."""
    written = {
        "JPEG of quality 95": images.encode(drawn(700, 468), "jpg", 95),
        "JPEG of quality 75": images.encode(drawn(700, 468), "jpg", 75),
        "WebP": images.encode(drawn(467, 301), "webp", 90),
        "PNG": images.encode(drawn(*FACE), "png"),
    }
    found = {name: _digest(data) for name, data in written.items()}
    found["WebP, read"] = _digest(images.decode(written["WebP"]))
    found |= {
        f"JPEG, at least {side}": _digest(
            images.decode(written["JPEG of quality 75"], at_least=side)
        )
        for side in (468, 100, 40)
    }
    return found


def training_images() -> dict[str, str]:
    """Of a JPEG and a PNG, as `Dataset` makes them square and small."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.jpg").write_bytes(images.encode(drawn(1000, 1400), "jpg", 90))
        (folder / "b.png").write_bytes(images.encode(drawn(120, 211), "png"))
        for fit in images.FITS:
            with Dataset(folder, fit=fit) as dataset:
                for index, kind in enumerate(("JPEG", "PNG")):
                    found[f"{kind}, {fit}"] = _digest(dataset.image(index))
    return found


def digests() -> dict[str, str]:
    """All of the above."""
    return resized() | sheets() | files() | training_images()


def _digest(data: bytes | NDArray[np.uint8]) -> str:
    content = data if isinstance(data, bytes) else repr(data.shape).encode() + data.tobytes()
    return hashlib.sha256(content).hexdigest()[:32]


GOLDEN = {
    "162x162 to 150x150": "020dac040dcce753f9e9a467a8e935b9",
    "162x162 to 224x224": "5096c0379a7d3a4392348d21ec31d4df",
    "162x162 to 512x512": "b4833961e5b7b547601aeb1f01e83c96",
    "162x162 to 1024x1024": "2b21f7e02c30353f335370fd6b0fa106",
    "162x162 to 54x54": "7eb7eb83dd923a9ae72d63831a5c5dc9",
    "162x162 to 32x32": "b883bf0664663342f7cdaa7d3ff498e2",
    "162x162 to 16x16": "666ba41a53a4d9b48a7611b6aed8800e",
    "162x162 to 1x1": "8ca730285092776e49ce7933686b8c84",
    "162x162 to 163x161": "5e41cce68705e2ab72a6431d730ae0d5",
    "1000x1500 to 162x162": "27d93b6289bf2ce0309c663af2eb8fc6",
    "701x467 to 162x162": "7447f55ab94f1a55ee540070616b4312",
    "97x203 to 162x162": "719f586fdd5e1e773bed9f715beb127a",
    "5x7 to 162x162": "e22147907def4bc17e74b409ecb0caac",
    "1x1 to 162x162": "3bbd8ebfcc25e0807d1eb317715373af",
    "3x4000 to 300x7": "267d3a5895e897d3bfc49b30f7a2b178",
    "grid": "3e8c20ef4c21ce20bc010811664589f1",
    "sheet, smaller": "3b7d3b3bb3f1e2eb47fd19de5b8325c7",
    "labelled": "40cf4f2b540dd046329e7dcbc2591997",
    "JPEG of quality 95": "eb6704d93f6f1e5cc484ced46bb0e1ab",
    "JPEG of quality 75": "8beb4572bc6ca4eec8b8cf163a0205ab",
    "WebP": "02802e3a95313ad24e7d0f05dd05edc4",
    "PNG": "ee0931397ca5ba73304e4c557860fd10",
    "WebP, read": "9ce58aee6314e1e42eb0e18d5ed644fb",
    "JPEG, at least 468": "ecb584d2d93ed43cfabc2221c74b3eaa",
    "JPEG, at least 100": "97e852b8ea742062b796647ddf450bcd",
    "JPEG, at least 40": "acec679a948e6ee42cf3974fad11d9e5",
    "JPEG, crop": "9788840a31b79e7ffa733b4cf7315554",
    "PNG, crop": "b72a02922438d0b3fb3a393bb155e0a9",
    "JPEG, stretch": "890ecccd2a1d6d262bb6f8e5fc029d2f",
    "PNG, stretch": "b9f649050ab5eb9ab7cfb18d6b9c6fe9",
}


def main() -> int:
    """Compare with the digests that every machine has to come to."""
    found = digests()
    for name, digest in found.items():
        if digest != GOLDEN.get(name):
            print(f'    "{name}": "{digest}",')
    return 0 if found == GOLDEN else 1


if __name__ == "__main__":
    sys.exit(main())
