# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to PNG, JPEG and WebP files, with text metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from ffgan import storage
from ffgan.errors import Error, UsageError
from ffgan.images.lazy_opencv import opencv
from ffgan.images.metadata_writing import insert_metadata
from ffgan.typing import RGB

Format: TypeAlias = Literal["png", "jpg", "webp"]

DEFAULT_QUALITY: Final = 95
"""Of a JPEG or WebP, 1 to 100."""

WEBP_MAX_SIDE: Final = 16383

_FORMATS: Final[dict[str, Format]] = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}


def format_of(path: str | Path) -> Format:
    """The format that a file's suffix stands for; raises UsageError for another suffix."""
    try:
        return _FORMATS[Path(path).suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: image files end in .png, .jpg or .webp") from None


def encoder() -> str:
    """What decides the bytes that `encode` makes of an image: OpenCV and its version."""
    return f"OpenCV {opencv().__version__}"


def encode(
    image: RGB,
    format: Format = "png",
    quality: int = DEFAULT_QUALITY,
    metadata: Mapping[str, str] | None = None,
    *,
    overwrite: bool = False,
) -> bytes:
    """The bytes of a file of ``image`` (height, width, 3) uint8 RGB; equal input, equal bytes.

    ``quality`` is 1 to 100, for jpg and webp; png is lossless. ``metadata`` is plain text by name:
    in PNG one tEXt chunk each (iTXt where it is not ASCII), in JPEG a comment, in WebP the XMP
    description, the latter two as one JSON object. ``overwrite`` saves the memory of a copy of
    ``image``, which is then of no use any more. Raises UsageError.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise UsageError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is outside 1 to 100")
    if format == "webp" and max(image.shape) > WEBP_MAX_SIDE:
        raise UsageError(f"WebP has at most {WEBP_MAX_SIDE} pixels a side: write png or jpg")
    cv2 = opencv()
    options = {
        "png": [],
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }
    if format not in options:
        raise UsageError(f"format {format!r}: give png, jpg or webp")
    try:
        if overwrite:
            from ffgan.images.raster import strips

            for rows in strips(image.shape):
                image[rows] = image[rows, :, ::-1]
            done, buffer = cv2.imencode(f".{format}", image, options[format])
        else:
            done, buffer = cv2.imencode(
                f".{format}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options[format]
            )
    except cv2.error as error:
        raise Error(f"OpenCV cannot write this image as {format}: {error.err}") from error
    if not done:
        raise Error(f"OpenCV cannot write this image as {format}")
    data: bytes = buffer.tobytes()
    if not metadata:
        return data
    return insert_metadata(data, format, metadata, size=(image.shape[1], image.shape[0]))


def save(
    path: str | Path,
    image: RGB,
    metadata: Mapping[str, str] | None = None,
    quality: int = DEFAULT_QUALITY,
) -> None:
    """Write ``image`` to ``path``, in the format of its suffix; the file is whole or not there.

    Raises UsageError as `encode` does, and Error when the file cannot be written.
    """
    path = Path(path)
    data = encode(image, format_of(path), quality, metadata)
    try:
        # Not durable: there may be thousands, and a crash of the machine costs little.
        storage.write_atomically(path, data, durable=False)
    except OSError as error:
        raise Error(f"cannot write {path}: {storage.reason(error)}") from error
