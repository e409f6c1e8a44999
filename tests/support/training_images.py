# SPDX-License-Identifier: GPL-3.0-or-later
"""Small training images that are told from one another by their colour."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ffgan.dataset import Dataset

SMALL = 24
"""Side of most images here: the rules do not depend on it, the time does."""


def jpeg(number: int = 0, size: tuple[int, int] = (SMALL, SMALL)) -> bytes:
    """A plain image, told from others by its red: 5 times its number."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (5 * number, 100, 200)).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def twelve(directory: Path) -> Path:
    """Makes the folder, of images number 0 to 11 in the order of their names."""
    directory.mkdir()
    for number in range(12):
        (directory / f"{number:02}.jpg").write_bytes(jpeg(number))
    return directory


def number_of(image: np.ndarray) -> int:
    return round(float(image[..., 0].mean()) / 5)


def numbers(
    folder: Path, batch: int, count: int, *, seed: int = 7, start: int = 0, **options: object
) -> list[list[int]]:
    with Dataset(folder, size=SMALL, **options) as data:  # type: ignore[arg-type]
        stream = data.batches(batch, seed=seed, start=start)
        return [[number_of(image) for image in next(stream)] for _ in range(count)]


def relative(data: Dataset) -> list[str]:
    return [str(path.relative_to(data.directory)) for path in data.paths]
