# SPDX-License-Identifier: GPL-3.0-or-later
"""BMP files."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Final, NamedTuple

from ffgan.errors import DatasetError
from ffgan.images.containers.base import CUT_OFF, DAMAGED, OUT_OF_BOUNDS, Container

_FILE_HEADER: Final = 14
_OS2_HEADER: Final = 12
_WINDOWS_HEADER: Final = 40

_PLAIN: Final = 0
_RUN_LENGTHS: Final = {1: 8, 2: 4}
_MASKS: Final = 3
_MASKS_AND_ALPHA: Final = 6

_STANDARD_MASKS: Final = {
    16: (0x7C00, 0x3E0, 0x1F, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}


class BmpLayout(NamedTuple):
    """How the pixels are stored, from byte ``first`` on.

    ``row``: bytes of a row. ``masks``: of red, green, blue and alpha (0: none), for 16 and 32 bits.
    ``palette``: blue, green, red of each colour, in ``entry`` bytes each.
    """

    first: int
    row: int
    bits: int
    top_down: bool
    run_lengths: bool
    masks: tuple[int, int, int, int] | None
    palette: bytes
    entry: int


class Bmp(Container):
    """A header of 12 bytes (OS/2) or 40 and more (Windows)."""

    kind = "BMP"

    @cached_property
    def _header(self) -> int:
        (length,) = struct.unpack_from("<I", self.data, _FILE_HEADER)
        return int(length)

    def _signed_size(self) -> tuple[int, int]:
        form = "<HH" if self._header == _OS2_HEADER else "<ii"
        width, height = struct.unpack_from(form, self.data, 18)
        return width, height

    def _size(self) -> tuple[int, int]:
        width, height = self._signed_size()
        return width, abs(height)

    @cached_property
    def layout(self) -> BmpLayout:
        """Raises DatasetError for what is not supported, or damaged."""
        try:
            return self._layout()
        except OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error

    def _layout(self) -> BmpLayout:
        old = self._header == _OS2_HEADER
        width, height = self._signed_size()
        (first,) = struct.unpack_from("<I", self.data, 10)
        (bits,) = struct.unpack_from("<H", self.data, 24 if old else 28)
        compression = 0 if old else struct.unpack_from("<I", self.data, 30)[0]
        behind = _FILE_HEADER + self._header
        masks = None
        if compression in (_MASKS, _MASKS_AND_ALPHA) and bits in (16, 32):
            # The masks are part of a header that is long enough, and follow a short one.
            red, green, blue = struct.unpack_from("<3I", self.data, _FILE_HEADER + _WINDOWS_HEADER)
            has_alpha = self._header >= 56 or compression == _MASKS_AND_ALPHA
            alpha = struct.unpack_from("<I", self.data, 66)[0] if has_alpha else 0
            masks = (red, green, blue, alpha)
            if max(masks) >> bits:
                raise DatasetError(DAMAGED)
        elif compression == _PLAIN and bits in (16, 32):
            masks = _STANDARD_MASKS[bits]
        supported = (
            masks is not None
            or (compression == _PLAIN and bits in (1, 2, 4, 8, 24))
            or _RUN_LENGTHS.get(compression) == bits
        )
        if not supported:
            raise DatasetError(
                f"a BMP of {bits} bits with compression {compression}, which is not supported"
            )
        entry = 3 if old else 4
        colours = 1 << bits if bits <= 8 else 0
        if colours and not old:
            (used,) = struct.unpack_from("<I", self.data, 46)
            colours = min(colours, used or colours)
        if first < behind:
            raise DatasetError(DAMAGED)
        return BmpLayout(
            first=first,
            row=(width * bits + 31) // 32 * 4,
            bits=bits,
            top_down=height < 0,
            run_lengths=compression in _RUN_LENGTHS,
            masks=masks,
            palette=self.data[behind : min(first, behind + colours * entry)],
            entry=entry,
        )

    def _check(self) -> tuple[int, bytes]:
        layout = self.layout
        _, height = self.size
        if layout.run_lengths:
            if not _ends(self.data[layout.first :]):
                raise DatasetError(CUT_OFF)
        elif layout.first + layout.row * height > len(self.data):
            raise DatasetError(CUT_OFF)
        return 1, self.data  # a BMP has no orientation


def _ends(codes: bytes) -> bool:
    """Whether run lengths have their end code, with nothing but filling behind it."""
    return codes.rstrip(b"\0").endswith(b"\0\1")
