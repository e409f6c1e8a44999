# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ffgan import images
from ffgan.server.http.errors import Refusal
from ffgan.server.settings import Settings
from ffgan.typing import RGB

MEDIA_TYPES: dict[images.Format, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
}


@dataclass(frozen=True)
class Picture:
    """The file that an image becomes."""

    format: images.Format
    size: int
    quality: int

    def encode(self, image: RGB, origin: Mapping[str, str]) -> bytes:
        """The file's bytes; takes a thread's time."""
        return images.encode(self.resize(image), self.format, self.quality, origin)

    def resize(self, image: RGB) -> RGB:
        return image if image.shape[0] == self.size else images.resize(image, self.size)


def check_pixels(pixels: int, settings: Settings) -> None:
    """Raises Refusal for an answer of more pixels than one may have."""
    if pixels > settings.max_pixels:
        raise Refusal(
            422,
            "too_many_pixels",
            f"this is {pixels} pixels, more than {settings.max_pixels}: ask for fewer or smaller",
            parameter="size",
        )
