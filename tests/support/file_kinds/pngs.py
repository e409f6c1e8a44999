# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of PNG files."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from support.file_kinds.kind import (
    ALPHA,
    COLOUR,
    GREY,
    GREY_WHITE_BEHIND,
    IMAGE,
    LA,
    RGBA,
    WHITE_BEHIND,
    Kind,
    over_white,
    rgb,
)
from support.file_kinds.writers import chunk, png
from support.pictures import file_of

BOTH = ("Pillow", "OpenCV with alpha")


def palette(colours: int) -> tuple[np.ndarray, np.ndarray, bytes]:
    """Numbers (h, w), the colours (n, 3), the PLTE chunk."""
    image = IMAGE.quantize(colours)
    table = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:colours]
    return np.asarray(image), table, chunk(b"PLTE", table.tobytes())


def without_colour(pixels: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """White where ``hidden`` (h, w)."""
    return np.where(hidden[..., None], np.uint8(255), pixels)


def kinds() -> Iterator[Kind]:
    wide_colour = (COLOUR.astype(np.uint16) * 257 - 60 * (COLOUR > 128)).astype(np.uint16)
    wide_grey = GREY.astype(np.uint16) * 256 + 77
    wide_alpha = ALPHA.astype(np.uint16) * 257
    eight = (wide_colour / 257).round().astype(np.uint8)
    eight_grey = rgb((wide_grey / 257).round().astype(np.uint8))
    for name, interlaced in (("", False), ("-interlaced", True)):
        yield Kind(f"png-rgb{name}", png(COLOUR, 2, 8, interlaced=interlaced), COLOUR)
        yield Kind(f"png-rgba{name}", png(RGBA, 6, 8, interlaced=interlaced), WHITE_BEHIND, BOTH)
        yield Kind(f"png-grey{name}", png(GREY, 0, 8, interlaced=interlaced), rgb(GREY))
        yield Kind(f"png-la{name}", png(LA, 4, 8, interlaced=interlaced), GREY_WHITE_BEHIND, BOTH)
        for depth in (1, 2, 4):
            few = GREY >> (8 - depth)
            shown = rgb((few * (255 // (2**depth - 1))).astype(np.uint8))
            data = png(few, 0, depth, interlaced=interlaced)
            yield Kind(f"png-grey-{depth}-bit{name}", data, shown)
            numbers, table, plte = palette(2**depth)
            data = png(numbers, 3, depth, interlaced=interlaced, before=[plte])
            yield Kind(f"png-palette-{depth}-bit{name}", data, table[numbers])
        numbers, table, plte = palette(200)
        data = png(numbers, 3, 8, interlaced=interlaced, before=[plte])
        yield Kind(f"png-palette{name}", data, table[numbers])
        data = png(wide_colour, 2, 16, interlaced=interlaced)
        yield Kind(f"png-rgb16{name}", data, eight, BOTH)
        data = png(np.dstack([wide_colour, wide_alpha]), 6, 16, interlaced=interlaced)
        yield Kind(f"png-rgba16{name}", data, over_white(wide_colour, wide_alpha), BOTH, 1)
        data = png(wide_grey, 0, 16, interlaced=interlaced)
        yield Kind(f"png-grey16{name}", data, eight_grey, BOTH)
        data = png(np.dstack([wide_grey, wide_alpha]), 4, 16, interlaced=interlaced)
        shown = over_white(np.repeat(wide_grey[..., None], 3, 2), wide_alpha)
        yield Kind(f"png-la16{name}", data, shown, BOTH)
    yield from transparent(wide_colour, wide_grey, eight, eight_grey)
    yield from unusual()
    yield from refused()


def transparent(
    wide_colour: np.ndarray, wide_grey: np.ndarray, eight: np.ndarray, eight_grey: np.ndarray
) -> Iterator[Kind]:
    """One transparent value, or an opacity for each colour of a palette."""
    value = int(GREY[3, 3])
    trns = chunk(b"tRNS", struct.pack(">H", value))
    shown = without_colour(rgb(GREY), value == GREY)
    # OpenCV leaves out the transparency of a grey PNG, Pillow that of 4 and 16 bits.
    data = png(GREY, 0, 8, before=[trns])
    yield Kind("png-grey-transparent-value", data, shown, ("Pillow", "ImageMagick"))
    few = GREY >> 4
    trns = chunk(b"tRNS", struct.pack(">H", int(few[3, 3])))
    shown = without_colour(rgb((few * 17).astype(np.uint8)), few == few[3, 3])
    data = png(few, 0, 4, before=[trns])
    yield Kind("png-grey-4-bit-transparent-value", data, shown, ("ImageMagick",))
    trns = chunk(b"tRNS", struct.pack(">H", int(wide_grey[3, 3])))
    shown = without_colour(eight_grey, wide_grey == wide_grey[3, 3])
    data = png(wide_grey, 0, 16, before=[trns])
    yield Kind("png-grey16-transparent-value", data, shown, ("ImageMagick",))
    trns = chunk(b"tRNS", struct.pack(">3H", *map(int, COLOUR[3, 3])))
    shown = without_colour(COLOUR, (COLOUR[3, 3] == COLOUR).all(axis=2))
    data = png(COLOUR, 2, 8, before=[trns])
    yield Kind("png-rgb-transparent-colour", data, shown, BOTH)
    trns = chunk(b"tRNS", struct.pack(">3H", *map(int, wide_colour[3, 3])))
    shown = without_colour(eight, (wide_colour == wide_colour[3, 3]).all(axis=2))
    data = png(wide_colour, 2, 16, before=[trns])
    by = ("OpenCV with alpha", "ImageMagick")
    yield Kind("png-rgb16-transparent-colour", data, shown, by)
    numbers, table, plte = palette(200)
    opacity = np.linspace(0, 255, 150).round().astype(np.uint8)  # the other colours are opaque
    alpha = np.pad(opacity, (0, 50), constant_values=255)[numbers]
    data = png(numbers, 3, 8, before=[plte, chunk(b"tRNS", opacity.tobytes())])
    yield Kind("png-palette-transparent", data, over_white(table[numbers], alpha), BOTH)
    numbers, table, plte = palette(4)
    data = png(numbers, 3, 2, before=[plte, chunk(b"tRNS", b"\0")])
    shown = without_colour(table[numbers], numbers == 0)
    yield Kind("png-palette-2-bit-transparent", data, shown, BOTH)


def unusual() -> Iterator[Kind]:
    plain = png(COLOUR, 2, 8)
    other = IMAGE.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    animated = file_of(IMAGE, "PNG", save_all=True, append_images=[other], duration=100)
    yield Kind("png-animated", animated, COLOUR)
    yield Kind("png-end-with-wrong-checksum", plain[:-1] + b"\0", COLOUR)
    profile = bytearray(chunk(b"iCCP", b"x\0\0" + bytes(30)))
    profile[-1] ^= 1
    yield Kind(
        "png-profile-with-wrong-checksum",
        png(COLOUR, 2, 8, before=[bytes(profile)]),
        COLOUR,
        ("OpenCV", "ImageMagick"),
    )
    text = chunk(b"zTXt", b"x\0\0not deflated")
    yield Kind("png-damaged-text", png(COLOUR, 2, 8, before=[text], after=[text]), COLOUR)
    yield Kind("png-bytes-behind-end", plain + b"trailing bytes", COLOUR)
    hints = [chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"pHYs", bytes(9))]
    yield Kind("png-gamma-of-srgb", png(COLOUR, 2, 8, before=hints), COLOUR)
    background = chunk(b"bKGD", struct.pack(">3H", 255, 0, 0))
    data = png(RGBA, 6, 8, before=[background])
    yield Kind("png-background-colour-is-not-white", data, WHITE_BEHIND, BOTH)
    unread = chunk(b"PLTE", bytes(range(30)))
    yield Kind("png-rgb-with-suggested-palette", png(COLOUR, 2, 8, before=[unread]), COLOUR)
    numbers, table, _ = palette(200)
    short = png(numbers, 3, 8, before=[chunk(b"PLTE", table[:100].tobytes())])
    yield Kind(
        "png-palette-too-short", short, np.where(numbers[..., None] < 100, table[numbers], 0)
    )
    column = COLOUR[:, :1]
    yield Kind("png-one-column-interlaced", png(column, 2, 8, interlaced=True), column)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = file_of(IMAGE, "PNG", exif=exif)
        upright = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
        image = IMAGE if upright is None else IMAGE.transpose(Image.Transpose(upright))
        yield Kind(f"png-exif-{orientation}", stored, np.asarray(image))


def refused() -> Iterator[Kind]:
    plain = png(np.random.default_rng(0).integers(0, 256, (40, 40, 3)), 2, 8)

    def bad(name: str, data: bytes, reason: str) -> Kind:
        return Kind(f"refused-png-{name}", data, None, (), 0, reason)

    def rebuilt(content: bytes) -> bytes:
        """The same header, other compressed pixels, right checksums."""
        return plain[:33] + chunk(b"IDAT", content) + chunk(b"IEND", b"")

    from zlib import compress

    whole = 40 * (1 + 40 * 3)
    yield bad("cut", plain[: len(plain) // 2], "cut off")
    yield bad("apple", plain[:8] + chunk(b"CgBI", b"P\0 \2") + plain[8:], "Apple's programs")
    yield bad("without-end", plain[:-12], "cut off")
    yield bad("bit", plain[:900] + bytes([plain[900] ^ 1]) + plain[901:], "wrong checksum")
    yield bad("header-bit", plain[:20] + b"\1" + plain[21:], "wrong checksum")
    yield bad("pixels-too-few", rebuilt(compress(bytes(whole - 500))), "damaged")
    yield bad("not-deflated", rebuilt(b"not deflated"), "damaged")
    yield bad("deflate-checksum", rebuilt(compress(bytes(whole))[:-1] + b"\xff"), "damaged")
    yield bad("no-such-filter", rebuilt(compress(b"\x09" * whole)), "damaged")
    yield bad("two-million-across", png(np.zeros((1, 1 << 21), np.uint8), 0, 1), "pixels a side")
    yield bad("no-pixels", plain[:33] + chunk(b"IEND", b""), "damaged")
    yield bad("palette-missing", png(GREY, 3, 8), "damaged")
    header = plain[:16] + struct.pack(">IIBBBBB", 40, 40, 3, 2, 0, 0, 0)
    odd = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header[16:29]) + plain[33:]
    yield bad("of-3-bits", odd, "damaged")
