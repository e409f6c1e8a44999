# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of AV1 pictures by their sequence header (AV1 specification, section 5.5)."""

from __future__ import annotations

from typing import Final

_SEQUENCE_HEADER: Final = 1


def coded_size(data: bytes) -> tuple[int, int] | None:
    """The largest width and height that a stream's frames may have; None where it does not say."""
    position = 0
    try:
        while position < len(data):
            header = data[position]
            position += 2 if header & 4 else 1
            length = len(data) - position
            if header & 2:
                length, position = _length(data, position)
            if header >> 3 & 15 == _SEQUENCE_HEADER:
                return _sizes(_Bits(data[position : position + length]))
            position += length
    except IndexError:
        pass
    return None


def _length(data: bytes, position: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the lowest first, and what comes after it."""
    number = 0
    for index in range(8):
        byte = data[position + index]
        number |= (byte & 127) << 7 * index
        if byte < 128:
            break
    return number, position + index + 1


def _sizes(bits: _Bits) -> tuple[int, int] | None:
    bits.take(4)  # profile, still picture
    if bits.take(1):  # reduced still picture header
        bits.take(5)
    else:
        if bits.take(1):  # timing information, which pictures do not have
            return None
        delays = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delays and bits.take(1):
                bits.take(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


class _Bits:
    """Numbers of a few bits, the highest first; IndexError behind the end."""

    def __init__(self, content: bytes) -> None:
        self._content = content[:256]
        self._at = 0

    def take(self, count: int) -> int:
        number = 0
        for _ in range(count):
            number = number << 1 | self._content[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return number
