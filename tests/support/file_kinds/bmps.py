# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of BMP files."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from support.file_kinds.kind import (
    ALPHA,
    COLOUR,
    GREY,
    HEIGHT,
    IMAGE,
    WHITE_BEHIND,
    WIDTH,
    Kind,
    rgb,
)
from support.file_kinds.writers import bmp, bmp_rows, packed_rows
from support.pictures import file_of

RGB_MASKS = (0xFF0000, 0xFF00, 0xFF)
ALPHA_MASK = 0xFF000000
CLEAR = ("Pillow", "OpenCV with alpha")


def four(fourth: np.ndarray | int) -> bytes:
    """Blue, green, red and a fourth byte."""
    last = np.broadcast_to(np.asarray(fourth, np.uint8), (HEIGHT, WIDTH))
    return bmp_rows(np.dstack([COLOUR[..., ::-1], last]).reshape(HEIGHT, -1))


def kinds() -> Iterator[Kind]:
    def wide(
        name: str, pixels: bytes, shown: np.ndarray = COLOUR, *by: str, **options: object
    ) -> Kind:
        data = bmp(pixels, WIDTH, HEIGHT, 32, **options)
        return Kind(f"bmp-32-{name}", data, shown, by or ("Pillow", "OpenCV"))

    three = bmp_rows(COLOUR[..., ::-1].reshape(HEIGHT, -1))
    yield Kind("bmp-24", bmp(three, WIDTH, HEIGHT, 24), COLOUR)
    upside = bmp_rows(COLOUR[::-1, :, ::-1].reshape(HEIGHT, -1))
    yield Kind("bmp-24-top-down", bmp(upside, WIDTH, -HEIGHT, 24), COLOUR)
    yield Kind("bmp-24-os2", bmp(three, WIDTH, HEIGHT, 24, header=12), COLOUR)
    yield Kind("bmp-24-v5", bmp(three, WIDTH, HEIGHT, 24, header=124), COLOUR)
    # The fourth byte is no alpha where the header has no mask for it.
    yield wide("padding-0", four(0))
    yield wide("padding-ff", four(255))
    yield wide("padding-of-junk", four(ALPHA))
    yield wide("v5-padding-of-junk", four(ALPHA), header=124)
    masks = {"compression": 3, "masks": RGB_MASKS}
    yield wide("masks-padding-0", four(0), **masks)
    yield wide("masks-padding-of-junk", four(ALPHA), **masks)
    for version, size in (("v2", 52), ("v3", 56), ("v4", 108), ("v5", 124)):
        none = (*RGB_MASKS, 0)[: 3 if size == 52 else 4]
        options = {"compression": 3, "header": size, "masks": none}
        yield wide(f"{version}-no-alpha-mask-0", four(0), **options)
        yield wide(f"{version}-no-alpha-mask-junk", four(ALPHA), **options)
        if size > 52:
            options["masks"] = (*RGB_MASKS, ALPHA_MASK)
            # An alpha that is zero everywhere is none: browsers and editors show the picture.
            yield wide(f"{version}-alpha-all-0", four(0), COLOUR, "OpenCV", **options)
            yield wide(f"{version}-alpha-all-ff", four(255), **options)
            yield wide(f"{version}-alpha", four(ALPHA), WHITE_BEHIND, *CLEAR, **options)
    swapped = np.dstack([ALPHA, COLOUR[..., ::-1]])
    pixels = bmp_rows(swapped.reshape(HEIGHT, -1))
    other = (0xFF000000, 0xFF0000, 0xFF00)
    yield wide("masks-shifted", pixels, COLOUR, "Pillow", "ImageMagick", compression=3, masks=other)
    red_first = bmp_rows(np.dstack([COLOUR, ALPHA]).reshape(HEIGHT, -1))
    order = {"compression": 3, "masks": (0xFF, 0xFF00, 0xFF0000)}
    yield wide("masks-red-first", red_first, COLOUR, "ImageMagick", **order)
    order = {"compression": 3, "header": 108, "masks": (0xFF, 0xFF00, 0xFF0000, ALPHA_MASK)}
    yield wide("masks-red-first-alpha", red_first, WHITE_BEHIND, "Pillow", "ImageMagick", **order)
    yield from small()
    yield from refused()


def small() -> Iterator[Kind]:
    """16 bits and fewer."""
    red, green, blue = (COLOUR[..., number].astype(np.uint16) for number in range(3))
    fives = [(value >> 3) for value in (red, green, blue)]
    shown = np.dstack([(value * 255 / 31).round().astype(np.uint8) for value in fives])
    packed = (fives[0] << 10 | fives[1] << 5 | fives[2]).astype("<u2")
    rows = bmp_rows(packed.view(np.uint8).reshape(HEIGHT, -1))
    # OpenCV only shifts the bits up, so that its white is 248.
    yield Kind("bmp-16-555", bmp(rows, WIDTH, HEIGHT, 16), shown, ("Pillow", "ImageMagick"))
    sixths = green >> 2
    packed = (fives[0] << 11 | sixths << 5 | fives[2]).astype("<u2")
    rows = bmp_rows(packed.view(np.uint8).reshape(HEIGHT, -1))
    shown = np.dstack([shown[..., 0], (sixths * 255 / 63).round().astype(np.uint8), shown[..., 2]])
    options = {"compression": 3, "masks": (0xF800, 0x7E0, 0x1F)}
    data = bmp(rows, WIDTH, HEIGHT, 16, **options)
    yield Kind("bmp-16-565", data, shown, ("Pillow", "ImageMagick"))
    for bits in (1, 4, 8):
        image = IMAGE.quantize(2**bits)
        table = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[: 2**bits]
        numbers = np.minimum(np.asarray(image), len(table) - 1)
        entries = np.pad(table[:, ::-1], ((0, 2**bits - len(table)), (0, 1))).tobytes()
        rows = bmp_rows(packed_rows(numbers[..., None], bits, "<"))
        data = bmp(rows, WIDTH, HEIGHT, bits, palette=entries)
        yield Kind(f"bmp-{bits}", data, table[numbers])
        if bits == 8:
            runs = b"".join(run_lengths(row) for row in numbers[::-1]) + b"\0\1"
            data = bmp(runs, WIDTH, HEIGHT, 8, compression=1, palette=entries)
            yield Kind("bmp-8-run-lengths", data, table[numbers])
            # ImageMagick writes the filling of a row as pixels, too.
            filled = np.pad(numbers[::-1], ((0, 0), (0, -WIDTH % 4)))
            runs = b"".join(run_lengths(row) for row in filled) + b"\0\1"
            data = bmp(runs, WIDTH, HEIGHT, 8, compression=1, palette=entries)
            by = ("Pillow", "ImageMagick")
            yield Kind("bmp-8-run-lengths-of-whole-words", data, table[numbers], by)
    yield Kind("bmp-grey", file_of(Image.fromarray(GREY), "BMP"), rgb(GREY))


def run_lengths(row: np.ndarray) -> bytes:
    """RLE8: pairs of a count and a value, and the end of the line."""
    return b"".join(bytes([1, value]) for value in row.tolist()) + b"\0\0"


def refused() -> Iterator[Kind]:
    plain = bmp(bmp_rows(COLOUR.reshape(HEIGHT, -1)), WIDTH, HEIGHT, 24)

    def bad(name: str, data: bytes, reason: str) -> Kind:
        return Kind(f"refused-bmp-{name}", data, None, (), 0, reason)

    yield bad("cut", plain[:-100], "cut off")
    yield bad("header-only", plain[:20], "cut off")
    size = struct.pack("<ii", 100_000, 100_000)
    yield bad("of-100000-pixels-a-side", plain[:18] + size + plain[26:], "more than the limit")
    yield bad("of-no-width", plain[:18] + bytes(4) + plain[22:], "damaged")
    jpeg = file_of(IMAGE, "JPEG")
    yield bad(
        "with-a-jpeg-inside",
        bmp(jpeg, WIDTH, HEIGHT, 0, compression=4),
        "a BMP of . bits .* not supported",
    )
    yield bad("of-7-bits", plain[:28] + b"\7" + plain[29:], "a BMP of . bits .* not supported")
    outside = bmp(bytes(99_999), WIDTH, HEIGHT, 16, compression=3, masks=(1 << 20, 2, 1))
    yield bad("masks-beyond-16-bits", outside, "damaged")
    runs = bmp(b"\x05\1", WIDTH, HEIGHT, 8, compression=1, palette=bytes(1024))
    yield bad("run-lengths-cut", runs, "cut off")
