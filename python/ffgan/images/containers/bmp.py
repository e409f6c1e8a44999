# SPDX-License-Identifier: GPL-3.0-or-later
"""BMP files."""

from __future__ import annotations

import struct
from functools import cached_property

from ffgan.errors import DatasetError
from ffgan.images.containers.base import CUT_OFF, Container


class Bmp(Container):
    """A header of 12 bytes (OS/2) or 40 and more (Windows)."""

    kind = "BMP"

    @cached_property
    def _header(self) -> int:
        (length,) = struct.unpack_from("<I", self.data, 14)
        return int(length)

    def _size(self) -> tuple[int, int]:
        width, height = struct.unpack_from("<HH" if self._header == 12 else "<ii", self.data, 18)
        return width, abs(height)

    def _check(self) -> tuple[int, bytes]:
        old = self._header == 12
        width, height = self._size()
        (first,) = struct.unpack_from("<I", self.data, 10)
        (bits,) = struct.unpack_from("<H", self.data, 24 if old else 28)
        compression = 0 if old else struct.unpack_from("<I", self.data, 30)[0]
        row = (width * bits + 31) // 32 * 4
        if compression in (0, 3) and first + row * height > len(self.data):
            raise DatasetError(CUT_OFF)
        return 1, self.data  # a BMP has no orientation
