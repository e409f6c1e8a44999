# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of TIFF files."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageCms

from support.file_kinds.kind import (
    ALPHA,
    COLOUR,
    GREY,
    GREY_WHITE_BEHIND,
    HEIGHT,
    IMAGE,
    LA,
    RGBA,
    WHITE_BEHIND,
    WIDTH,
    Kind,
    by_opencv,
    by_pillow,
    encoded,
    over_white,
    rgb,
)
from support.file_kinds.writers import strips_of, tiff, tiles_of

Tags = dict[int, int | Sequence[int]]

BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, ROWS = 258, 259, 262, 274, 277, 278
PLANAR, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, EXTRA, FORMAT = (
    284, 317, 320, 322, 323, 338, 339,
)  # fmt: skip
WHITE_IS_ZERO, BLACK_IS_ZERO, IS_RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8

PURE = ("Pillow", "tifffile")
LOSSLESS = ("Pillow", "tifffile", "OpenCV")


def simple(samples: np.ndarray, photometric: int, depth: int = 8, **options: object) -> bytes:
    """Uncompressed, in three strips; ``tags`` in the options come on top."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    order = str(options.pop("order", "<"))
    own: Tags = options.pop("tags", {})  # type: ignore[assignment]
    tags: Tags = {
        BITS: [depth] * channels,
        COMPRESSION: 1,
        PHOTOMETRIC: photometric,
        SAMPLES: channels,
        ROWS: 10,
        **own,
    }
    height, width = samples.shape[:2]
    strips = strips_of(samples, depth, 10, order)
    return tiff(width, height, strips, tags, order=order, **options)


def kinds() -> Iterator[Kind]:
    yield Kind("tiff", simple(COLOUR, IS_RGB), COLOUR, LOSSLESS)
    yield Kind("tiff-big-endian", simple(COLOUR, IS_RGB, order=">"), COLOUR, LOSSLESS)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd"):
        data = encoded(IMAGE, "TIFF", compression=name)
        yield Kind(f"tiff-{name.removeprefix('tiff_')}", data, COLOUR, LOSSLESS)
    data = encoded(IMAGE, "TIFF", compression="tiff_lzw", tiffinfo={PREDICTOR: 2})
    yield Kind("tiff-lzw-predicted", data, COLOUR, LOSSLESS)
    data = encoded(IMAGE, "TIFF", compression="jpeg")
    yield Kind("tiff-jpeg", data, by_opencv(data), ("Pillow", "OpenCV"), 3)
    planes = [COLOUR[..., number].tobytes() for number in range(3)]
    tags: Tags = {BITS: [8] * 3, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 3, PLANAR: 2}
    tags[ROWS] = HEIGHT
    yield Kind("tiff-planar", tiff(WIDTH, HEIGHT, planes, tags), COLOUR, LOSSLESS)
    tags = {BITS: [8] * 3, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 3}
    tags |= {TILE_WIDTH: 16, TILE_HEIGHT: 16}
    yield Kind("tiff-tiles", tiff(WIDTH, HEIGHT, tiles_of(COLOUR, 16), tags), COLOUR, LOSSLESS)
    packed = [zlib.compress(tile) for tile in tiles_of(COLOUR, 16)]
    data = tiff(WIDTH, HEIGHT, packed, {**tags, COMPRESSION: 8})
    yield Kind("tiff-tiles-deflated", data, COLOUR, LOSSLESS)
    other = IMAGE.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    data = encoded(IMAGE, "TIFF", save_all=True, append_images=[other])
    yield Kind("tiff-two-pages", data, COLOUR, LOSSLESS)
    yield Kind("tiff-big", simple(COLOUR, IS_RGB, big=True), COLOUR, LOSSLESS)
    data = simple(COLOUR, IS_RGB, big=True, order=">")
    yield Kind("tiff-big-big-endian", data, COLOUR, LOSSLESS)
    for orientation in range(1, 9):
        data = simple(COLOUR, IS_RGB, tags={ORIENTATION: orientation})
        yield Kind(f"tiff-orientation-{orientation}", data, by_pillow(data), LOSSLESS)
    data = simple(LA, BLACK_IS_ZERO, tags={ORIENTATION: 6, EXTRA: 2})
    yield Kind("tiff-la-orientation-6", data, np.rot90(GREY_WHITE_BEHIND, -1), PURE)
    data = simple(RGBA, IS_RGB, tags={ORIENTATION: 5, EXTRA: 2})
    yield Kind("tiff-rgba-orientation-5", data, WHITE_BEHIND.swapaxes(0, 1), PURE)
    yield from grey_and_palette()
    yield from transparent()
    yield from sixteen()
    yield from other_colours()
    yield from refused()


def grey_and_palette() -> Iterator[Kind]:
    yield Kind("tiff-grey", simple(GREY, BLACK_IS_ZERO), rgb(GREY), LOSSLESS)
    yield Kind("tiff-white-is-zero", simple(255 - GREY, WHITE_IS_ZERO), rgb(GREY), LOSSLESS)
    for depth in (1, 2, 4):
        full = 2**depth - 1
        few = GREY >> (8 - depth)
        shown = rgb((few * (255 // full)).astype(np.uint8))
        by = PURE if depth == 2 else LOSSLESS
        yield Kind(f"tiff-grey-{depth}-bit", simple(few, BLACK_IS_ZERO, depth), shown, by)
        data = simple(full - few, WHITE_IS_ZERO, depth)
        yield Kind(f"tiff-white-is-zero-{depth}-bit", data, shown, by)
    one = IMAGE.convert("1")
    for name in ("group3", "group4", "tiff_ccitt"):
        data = encoded(one, "TIFF", compression=name)
        yield Kind(f"tiff-{name}", data, np.asarray(one.convert("RGB")), ("Pillow", "OpenCV"))
    for depth in (1, 2, 4, 8):
        image = IMAGE.quantize(2**depth)
        table = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[: 2**depth]
        numbers = np.minimum(np.asarray(image), len(table) - 1)
        wide = np.pad(table, ((0, 2**depth - len(table)), (0, 0))).astype(int).T * 257
        tags: Tags = {COLOUR_MAP: wide.reshape(-1).tolist()}
        by = PURE if depth in (1, 2) else LOSSLESS
        data = simple(numbers, PALETTE, depth, tags=tags)
        yield Kind(f"tiff-palette-{depth}-bit", data, table[numbers], by)


def transparent() -> Iterator[Kind]:
    """A fourth or second sample: what it is, ExtraSamples says; 0 or nothing: not an alpha."""
    multiplied = (COLOUR.astype(int) * ALPHA[..., None] + 127) // 255
    associated = np.dstack([multiplied, ALPHA]).astype(np.uint8)
    tolerance = 1
    for name, compressed in (("", False), ("-deflated", True)):
        for samples, extra, shown, kind in (
            (RGBA, 2, WHITE_BEHIND, "rgba"),
            (associated, 1, WHITE_BEHIND, "rgba-associated"),
            (RGBA, 0, COLOUR, "rgb-and-a-sample-of-kind-0"),
            (RGBA, None, COLOUR, "rgb-and-a-sample-of-no-kind"),
        ):
            tags: Tags = {} if extra is None else {EXTRA: extra}
            data = simple(samples, IS_RGB, tags=tags)
            if compressed:
                tags |= {BITS: [8] * 4, COMPRESSION: 8, PHOTOMETRIC: IS_RGB, SAMPLES: 4, ROWS: 28}
                data = tiff(WIDTH, HEIGHT, [zlib.compress(samples.tobytes())], tags)
            yield Kind(f"tiff-{kind}{name}", data, shown, PURE, tolerance)
    yield Kind("tiff-la", simple(LA, BLACK_IS_ZERO, tags={EXTRA: 2}), GREY_WHITE_BEHIND, PURE)
    grey = np.dstack([(GREY.astype(int) * ALPHA + 127) // 255, ALPHA]).astype(np.uint8)
    data = simple(grey, BLACK_IS_ZERO, tags={EXTRA: 1})
    yield Kind("tiff-la-associated", data, GREY_WHITE_BEHIND, ("tifffile",))
    data = simple(LA, BLACK_IS_ZERO, tags={EXTRA: 0})
    yield Kind("tiff-grey-and-a-sample-of-kind-0", data, rgb(GREY), ("tifffile",))
    planes = [RGBA[..., number].tobytes() for number in range(4)]
    tags = {BITS: [8] * 4, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 4, PLANAR: 2}
    tags |= {ROWS: HEIGHT, EXTRA: 2}
    yield Kind("tiff-rgba-planar", tiff(WIDTH, HEIGHT, planes, tags), WHITE_BEHIND, ("tifffile",))
    hidden = np.where(ALPHA[..., None] == 0, 9, COLOUR)
    data = simple(np.dstack([hidden, np.full_like(ALPHA, 255)]), IS_RGB, tags={EXTRA: 2})
    yield Kind("tiff-rgba-opaque", data, hidden.astype(np.uint8), PURE)


def sixteen() -> Iterator[Kind]:
    colour = (COLOUR.astype(np.uint16) * 257 - 60 * (COLOUR > 128)).astype(np.uint16)
    alpha = ALPHA.astype(np.uint16) * 257
    shown = (colour / 257).round().astype(np.uint8)
    clear = over_white(colour, alpha)
    associated = (colour / 65535 * alpha[..., None]).round().astype(np.uint16)
    raw = ("tifffile",)
    both = ("tifffile", "OpenCV with alpha")
    yield Kind("tiff-rgb16", simple(colour, IS_RGB, 16), shown, both)
    yield Kind("tiff-rgb16-big-endian", simple(colour, IS_RGB, 16, order=">"), shown, both)
    four = np.dstack([colour, alpha])
    yield Kind("tiff-rgba16", simple(four, IS_RGB, 16, tags={EXTRA: 2}), clear, raw)
    data = simple(np.dstack([associated, alpha]), IS_RGB, 16, tags={EXTRA: 1})
    yield Kind("tiff-rgba16-associated", data, clear, raw)
    for extra in (0, None):
        data = simple(four, IS_RGB, 16, tags={} if extra is None else {EXTRA: extra})
        yield Kind(f"tiff-rgb16-and-a-sample-of-kind-{extra}", data, shown, raw)
    grey = GREY.astype(np.uint16) * 256 + 77
    shown = rgb((grey / 257).round().astype(np.uint8))
    both = ("tifffile", "Pillow")
    yield Kind("tiff-grey16", simple(grey, BLACK_IS_ZERO, 16), shown, both)
    data = simple(65535 - grey, WHITE_IS_ZERO, 16)
    yield Kind("tiff-white-is-zero-16", data, shown, raw)
    clear = over_white(np.repeat(grey[..., None], 3, 2), alpha)
    data = simple(np.dstack([grey, alpha]), BLACK_IS_ZERO, 16, tags={EXTRA: 2})
    yield Kind("tiff-la16", data, clear, raw)


def other_colours() -> Iterator[Kind]:
    ink = np.asarray(IMAGE.convert("CMYK"))
    yield Kind("tiff-cmyk", simple(ink, CMYK), by_pillow(simple(ink, CMYK)), PURE)
    black = ink.copy()
    black[..., 3] = ALPHA // 2
    yield Kind("tiff-cmyk-black", simple(black, CMYK), by_pillow(simple(black, CMYK)), PURE, 2)
    data = encoded(Image.fromarray(black, "CMYK"), "TIFF", compression="tiff_lzw")
    yield Kind("tiff-cmyk-lzw", data, by_pillow(data), PURE, 2)
    srgb, profile = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(IMAGE, srgb, profile, outputMode="LAB")
    # Eight bits of Lab cost some colour: what comes back is not quite what went in.
    for name, options in (("", {}), ("-lzw", {"compression": "tiff_lzw"})):
        yield Kind(f"tiff-lab{name}", encoded(lab, "TIFF", **options), COLOUR, ("Pillow",), 12)
    data = encoded(IMAGE.convert("YCbCr"), "TIFF")
    yield Kind("tiff-ycbcr", data, by_opencv(data), ("Pillow", "OpenCV"), 3)


def refused() -> Iterator[Kind]:
    plain = simple(COLOUR, IS_RGB)

    def bad(name: str, data: bytes, reason: str) -> Kind:
        return Kind(f"refused-tiff-{name}", data, None, (), 0, reason)

    def of(samples: np.ndarray, depth: int, form: int) -> bytes:
        tags: Tags = {BITS: depth, COMPRESSION: 1, PHOTOMETRIC: 1, SAMPLES: 1, FORMAT: form}
        return tiff(WIDTH, HEIGHT, [samples.tobytes()], {**tags, ROWS: HEIGHT})

    yield bad("cut", plain[: len(plain) // 2], "cut off")
    yield bad("strip-outside", tiff(WIDTH, HEIGHT, [b"12"], {**RGB_TAGS, 279: 99_999}), "cut off")
    yield bad("strip-too-short", tiff(WIDTH, HEIGHT, [bytes(50)], RGB_TAGS), "cut off|damaged")
    short = zlib.compress(bytes(100))
    yield bad("pixels-too-few", tiff(WIDTH, HEIGHT, [short], {**RGB_TAGS, 259: 8}), "damaged")
    missing = tiff(WIDTH, HEIGHT, strips_of(COLOUR, 8, 10)[:2], {**RGB_TAGS, ROWS: 10})
    yield bad("strip-missing", missing, "cut off|damaged")
    yield bad("float", of(GREY.astype(np.float32), 32, 3), "float")
    yield bad("half-float", of(GREY.astype(np.float16), 16, 3), "float")
    yield bad("32-bit", of(GREY.astype(np.uint32), 32, 1), "32 bits")
    yield bad("signed", of(GREY.astype(np.int16), 16, 2), "signed")
    yield bad("12-bit", of(np.zeros(WIDTH * HEIGHT * 2, np.uint8), 12, 1), "12 bits")
    huge = tiff(1 << 20, 1 << 20, [b"12"], RGB_TAGS)
    yield bad("of-a-million-pixels-a-side", huge, "more than the limit")
    yield bad("no-size", tiff(0, HEIGHT, [b"12"], RGB_TAGS), "damaged")
    yield bad("no-such-compression", tiff(WIDTH, HEIGHT, [b"12"], {**RGB_TAGS, 259: 60000}), "TIFF")


RGB_TAGS: Tags = {BITS: [8] * 3, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 3, ROWS: HEIGHT}
