# SPDX-License-Identifier: GPL-3.0-or-later
"""Small `.dnn` files of the original's two networks: every layer is there, the tensors are short.

They pass every check but the last one, that of the tensors' shapes. Run as a program, this writes
the first inputs of the fuzzer ``fuzz_dnn`` into a folder.
"""

from __future__ import annotations

import math
import struct
import sys
from pathlib import Path

NUMBERS = b"\xfeZ"
"""Before a count of 16 bits: stands for that many numbers, see fuzz_dnn.cpp."""

_UP = ((512, 4, 1, 0), (256, 3, 3, 1), (128, 4, 2, 1), (128, 4, 2, 1), (64, 4, 2, 1))
_DOWN = ((128, 4, 2), (128, 4, 2), (256, 3, 3), (512, 4, 2))


def expanded(short: bytes) -> bytes:
    """The file that a fuzzer's input stands for."""
    first, *rest = short.split(NUMBERS)
    parts = [first]
    for part in rest:
        if len(part) < 2:
            parts.append(NUMBERS + part)
        else:
            parts += [bytes(4 * struct.unpack_from("<H", part)[0]), part[2:]]
    return b"".join(parts)


def short_file(*, convolution: int = 6, transposed: int = 2, fully_connected: int = 3) -> bytes:
    """Both networks, as dlib's versions of their layers write them, with numbers left out."""
    con, cont = (convolution, False), (transposed, True)
    generator = []
    for filters, kernel, stride, pad in _UP:
        generator += [_convolution(cont, filters, kernel, stride, pad), _norm(filters), _relu()]
    generator += [_convolution(cont, 3, 4, 2, 0), _text("sig_")]
    generator.append(_fully_connected(fully_connected, bias=False))
    discriminator = [_convolution(con, 64, 4, 2, 0), _leaky_relu(), _dropout()]
    for filters, kernel, stride in _DOWN:
        discriminator += [_convolution(con, filters, kernel, stride, 1), _norm(filters)]
        discriminator += [_leaky_relu(), _dropout()]
    discriminator.append(_convolution(con, 3, 1, 1, 0))
    discriminator.append(_fully_connected(fully_connected, bias=True))
    return _network("loss_binary_log_per_pixel_", "input<array<matrix>>", generator) + _network(
        "loss_binary_log_", "input<matrix>", discriminator
    )


def _whole(value: int) -> bytes:
    """An integer as dlib writes it: a byte of sign and length, then the bytes."""
    size = max((abs(value).bit_length() + 7) // 8, 1)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def _number(value: float, digits: int = 24) -> bytes:
    """A float as dlib writes it: mantissa and exponent."""
    mantissa, exponent = math.frexp(value)
    return _whole(round(mantissa * 2**digits)) + _whole(exponent - digits if value else 0)


def _text(text: str) -> bytes:
    return _whole(len(text)) + text.encode()


def _tensor(*extents: int) -> bytes:
    shape = (*extents, *[1] * (4 - len(extents))) if extents else (0, 0, 0, 0)
    count = math.prod(shape)
    return _whole(2) + b"".join(map(_whole, shape)) + NUMBERS + struct.pack("<H", count)


def _alias() -> bytes:
    return _whole(1) + b"".join(map(_whole, (1, 1, 1, 1)))


def _multipliers() -> bytes:
    return b"".join(_number(value, 53) for value in (1.0, 1.0, 1.0, 0.0))


def _convolution(
    version: tuple[int, bool], filters: int, kernel: int, stride: int, pad: int
) -> bytes:
    number, transposed = version
    parts = [_text(f"{'cont' if transposed else 'con'}_{number}"), _tensor(filters)]
    parts += map(_whole, (filters, kernel, kernel, stride, stride, pad, pad))
    parts += [_alias(), _alias(), _multipliers()]
    if number >= (2 if transposed else 5):
        parts.append(b"1")
    if not transposed and number >= 6:
        parts.append(b"0")
    return b"".join(parts)


def _norm(filters: int) -> bytes:
    parts = [_text("bn_con2"), _tensor(2 * filters), _alias(), _alias()]
    parts += [_tensor(), _tensor(), _tensor(1, filters), _tensor(1, filters)]
    return b"".join([*parts, _whole(100), _whole(100), _multipliers(), _number(0.0001, 53)])


def _relu() -> bytes:
    return _text("relu_2") + b"0"


def _leaky_relu() -> bytes:
    return _text("leaky_relu_") + _number(0.2)


def _dropout() -> bytes:
    return _text("dropout_") + _number(0.5) + _tensor()


def _fully_connected(version: int, *, bias: bool) -> bytes:
    parts = [_text(f"fc_{version}"), _whole(1), _whole(3), _tensor(4 if bias else 3)]
    parts += [_alias(), _alias(), _whole(0 if bias else 1), _multipliers()]
    return b"".join([*parts, b"1" if version >= 3 else b""])


def _network(loss: str, input: str, layers: list[bytes]) -> bytes:
    parts = [_whole(1), _text(loss), *[_whole(2)] * (len(layers) - 1), _whole(3), _text(input)]
    for index, layer in enumerate(layers):
        parts += [layer, b"000", _tensor(), _tensor(), _tensor()]
        if index == 0:
            parts.append(_whole(1))
    return b"".join(parts)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for convolution, transposed, fully_connected in ((6, 2, 3), (5, 2, 3), (4, 1, 2)):
        content = short_file(
            convolution=convolution, transposed=transposed, fully_connected=fully_connected
        )
        (folder / f"con_{convolution}.dnn").write_bytes(content)
