# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of faces, and what `extract` made of them."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from ffgan import extraction, images
from ffgan.typing import RGB

SIDE = 400


def photograph(face: RGB, scale: float = 1.4, left: int = 80, top: int = 80) -> RGB:
    """A face of a scale in a picture of `SIDE` pixels, as sharp as a photograph."""
    side = round(face.shape[0] * scale)
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_LANCZOS4)
    large = cv2.addWeighted(large, 2.2, cv2.GaussianBlur(large, (0, 0), 1.5), -1.2, 0)
    picture = np.full((SIDE, SIDE, 3), 110, np.uint8)
    part = large[: SIDE - top, : SIDE - left]
    picture[top : top + part.shape[0], left : left + part.shape[1]] = part
    return picture


def jpeg(image: RGB, quality: int = 95) -> bytes:
    """The image as the content of a file."""
    return images.encode(np.ascontiguousarray(image), "jpg", quality)


def rows(out: Path) -> list[dict[str, str]]:
    """The lines of the manifest."""
    with (out / extraction.MANIFEST).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chips(out: Path) -> list[str]:
    """The names of the faces below the output folder."""
    return sorted(str(path.relative_to(out)) for path in out.rglob("*-*.jpg"))
