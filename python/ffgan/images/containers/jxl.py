# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG XL (ISO/IEC 18181-1, annex D, and 18181-2)."""

from __future__ import annotations

import struct
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.containers.base import CUT_OFF, DAMAGED, Container

CODESTREAM: Final = b"\xff\x0a"
BOXES: Final = b"\0\0\0\x0cJXL \r\n\x87\n"

_HEADER: Final = 48
"""Bytes of a codestream that hold its sides, and whether it is animated."""

_RATIOS: Final = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class JpegXl(Container):
    """A bare codestream, or boxes around it. The decoder turns the picture, and finds damage."""

    kind = "JPEG XL"

    def _size(self) -> tuple[int, int]:
        stream = self._codestream()
        if not stream.startswith(CODESTREAM):
            raise DatasetError(DAMAGED if len(stream) >= 2 else CUT_OFF)
        return _sides(_Bits(stream[2:]))

    def _check(self) -> tuple[int, bytes]:
        if self._animated():
            # Its decoder hands out the last of them.
            raise DatasetError("an animated JPEG XL, which is not supported: give a frame of it")
        return 1, self.data

    def _animated(self) -> bool:
        """Whether the header of the codestream announces frames."""
        bits = _Bits(self._codestream()[2:])
        _sides(bits)
        all_default = bits.take(1)
        if all_default or not bits.take(1):
            return False
        bits.take(3)  # orientation
        if bits.take(1):
            _sides(bits)  # of the picture as it is meant to be shown
        if bits.take(1):
            _preview(bits)
        return bool(bits.take(1))

    def _codestream(self) -> bytes:
        """Its first bytes at least."""
        if not self.data.startswith(BOXES):
            return self.data[:_HEADER]
        position = 0
        while True:
            length, kind = struct.unpack_from(">I4s", self.data, position)
            header = 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", self.data, position + 8)
                header = 16
            if kind in (b"jxlc", b"jxlp"):
                start = position + header + (4 if kind == b"jxlp" else 0)
                return self.data[start : start + _HEADER]
            if length < header:
                raise DatasetError(DAMAGED)
            position += length


def _sides(bits: _Bits) -> tuple[int, int]:
    """Width and height."""
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else _large(bits)
    ratio = bits.take(3)
    if ratio:
        over, under = _RATIOS[ratio - 1]
        return height * over // under, height
    return (8 * (bits.take(5) + 1) if small else _large(bits)), height


def _preview(bits: _Bits) -> None:
    """Pass over the sides of a preview."""
    eighths = bits.take(1)
    widths = (0, 0, 5, 9) if eighths else (6, 8, 10, 12)
    bits.take(widths[bits.take(2)])
    if not bits.take(3):
        bits.take(widths[bits.take(2)])


def _large(bits: _Bits) -> int:
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


class _Bits:
    """Numbers of a few bits, the lowest first."""

    def __init__(self, content: bytes) -> None:
        self._value = int.from_bytes(content, "little")
        self._left = 8 * len(content)

    def take(self, count: int) -> int:
        if count > self._left:
            raise DatasetError(CUT_OFF)
        self._left -= count
        number = self._value & ((1 << count) - 1)
        self._value >>= count
        return number
