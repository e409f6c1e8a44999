# SPDX-License-Identifier: GPL-3.0-or-later
"""Images encoded as files, within the limit of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ffgan import images
from ffgan.server.http.errors import RequestError
from ffgan.server.settings import Settings
from ffgan.typing import RGB

MEDIA_TYPES: dict[images.Format, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
}


BYTES_PER_PIXEL = 12


@dataclass(frozen=True)
class Picture:
    """How an image is encoded: format, width and height in pixels, quality 1 to 100."""

    format: images.Format
    size: int
    quality: int

    @property
    def need(self) -> int:
        """Bytes that encoding one takes: resized, in OpenCV's order, its file and copies of it."""
        return BYTES_PER_PIXEL * self.size**2

    def encode(self, image: RGB, origin: Mapping[str, str]) -> bytes:
        """The file's bytes, with ``origin`` as its text metadata; slow, not for the event loop."""
        return images.encode(self.resize(image), self.format, self.quality, origin)

    def resize(self, image: RGB) -> RGB:
        return image if image.shape[0] == self.size else images.resize(image, self.size)


def check_pixels(pixels: int, settings: Settings) -> None:
    """Raises RequestError for a response of more pixels than the server allows."""
    if pixels > settings.max_pixels:
        raise RequestError(
            422,
            "too_many_pixels",
            f"{pixels} pixels exceed the limit of {settings.max_pixels}; ask for fewer or smaller"
            " images, or for an archive",
            parameter="size",
        )
