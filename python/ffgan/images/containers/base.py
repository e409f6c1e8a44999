# SPDX-License-Identifier: GPL-3.0-or-later
"""What the structure of every image file has: its size, its orientation, whether it is whole."""

from __future__ import annotations

import struct
import zlib
from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar, Final

from ffgan.errors import DatasetError
from ffgan.images.colour_space import ColourSpace

DAMAGED: Final = "the file is damaged"
CUT_OFF: Final = "the file is cut off"

OUT_OF_BOUNDS: Final = (struct.error, IndexError, OverflowError)
"""What reading behind the end of the bytes raises."""


class Container(ABC):
    """An image file's bytes, ``data``, by its structure."""

    kind: ClassVar[str]

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels, as the header says: EXIF orientation is not applied.

        Mostly the file's first 64 KB are enough. Raises DatasetError where there is no such header.
        """
        try:
            width, height = self._size()
        except OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error
        if width < 1 or height < 1:
            raise DatasetError(DAMAGED)
        return width, height

    def check(self) -> tuple[int, bytes]:
        """EXIF orientation, 1 to 8, and the bytes to decode.

        Raises DatasetError for a file whose structure is damaged or which is cut off.
        """
        try:
            return self._check()
        except OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error

    @cached_property
    def colour_space(self) -> ColourSpace | None:
        """What the file says of its colours; None where it says nothing, or that they are sRGB."""
        try:
            return self._colour_space()
        except (*OUT_OF_BOUNDS, DatasetError, zlib.error):
            return ColourSpace(damaged=True)

    def _colour_space(self) -> ColourSpace | None:
        return None

    @abstractmethod
    def _size(self) -> tuple[int, int]: ...

    @abstractmethod
    def _check(self) -> tuple[int, bytes]: ...
