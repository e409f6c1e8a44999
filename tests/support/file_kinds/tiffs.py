# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of TIFF files."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

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
    over_white,
    rgb,
)
from support.file_kinds.writers import strips_of, tiff, tiles_of
from support.pictures import file_of

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
        data = file_of(IMAGE, "TIFF", compression=name)
        by = PURE if name == "zstd" else LOSSLESS
        yield Kind(f"tiff-{name.removeprefix('tiff_')}", data, COLOUR, by)
    data = file_of(IMAGE, "TIFF", compression="tiff_lzw", tiffinfo={PREDICTOR: 2})
    yield Kind("tiff-lzw-predicted", data, COLOUR, LOSSLESS)
    data = file_of(IMAGE, "TIFF", compression="jpeg")
    yield Kind("tiff-jpeg", data, by_opencv(data), ("Pillow", "OpenCV"), 3)
    planes = [COLOUR[..., number].tobytes() for number in range(3)]
    tags: Tags = {BITS: [8] * 3, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 3, PLANAR: 2}
    tags[ROWS] = HEIGHT
    yield Kind("tiff-planar", tiff(WIDTH, HEIGHT, planes, tags), COLOUR, LOSSLESS)
    tags = {BITS: [8] * 3, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 3}
    tags |= {TILE_WIDTH: 16, TILE_HEIGHT: 16}
    yield Kind("tiff-tiles", tiff(WIDTH, HEIGHT, tiles_of(COLOUR, 16), tags), COLOUR, PURE)
    packed = [zlib.compress(tile) for tile in tiles_of(COLOUR, 16)]
    data = tiff(WIDTH, HEIGHT, packed, {**tags, COMPRESSION: 8})
    yield Kind("tiff-tiles-deflated", data, COLOUR, LOSSLESS)
    other = IMAGE.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    data = file_of(IMAGE, "TIFF", save_all=True, append_images=[other])
    yield Kind("tiff-two-pages", data, COLOUR, LOSSLESS)
    yield Kind("tiff-big", simple(COLOUR, IS_RGB, big=True), COLOUR, LOSSLESS)
    data = simple(COLOUR, IS_RGB, big=True, order=">")
    yield Kind("tiff-big-big-endian", data, COLOUR, ("OpenCV", "tifffile"))
    for orientation in range(1, 9):
        data = simple(COLOUR, IS_RGB, tags={ORIENTATION: orientation})
        yield Kind(f"tiff-orientation-{orientation}", data, by_pillow(data), LOSSLESS)
    data = simple(LA, BLACK_IS_ZERO, tags={ORIENTATION: 6, EXTRA: 2})
    yield Kind("tiff-la-orientation-6", data, np.rot90(GREY_WHITE_BEHIND, -1), PURE)
    data = simple(RGBA, IS_RGB, tags={ORIENTATION: 5, EXTRA: 2})
    yield Kind("tiff-rgba-orientation-5", data, WHITE_BEHIND.swapaxes(0, 1), PURE)
    yield from behind_a_thumbnail()
    yield from grey_and_palette()
    yield from transparent()
    yield from sixteen()
    yield from other_colours()
    yield from refused()


def behind_a_thumbnail() -> Iterator[Kind]:
    """The first page says that it is none of its own: Pillow and others show it all the same."""
    small = np.ascontiguousarray(COLOUR[::4, ::4])

    def written(order: str, big: bool, inner: int, last: int = 0) -> bytes:
        buffer = io.BytesIO()
        options = {"photometric": "rgb", "metadata": None}
        turned = [(ORIENTATION, "H", 1, 6, True)]
        with tifffile.TiffWriter(buffer, byteorder=order, bigtiff=big) as file:
            file.write(small, subfiletype=1, subifds=inner, extratags=turned, **options)
            file.write(COLOUR, subfiletype=last, **options)
        return buffer.getvalue()

    shown = np.rot90(COLOUR, -1)
    for order, big, inner in (("<", False, 0), (">", False, 1), ("<", True, 1), (">", True, 0)):
        name = f"{'big-' * big}{'le' if order == '<' else 'be'}-{inner}"
        yield Kind(f"tiff-behind-a-thumbnail-{name}", written(order, big, inner), shown, ())
    # Nothing else is there.
    data = simple(COLOUR, IS_RGB, tags={254: 1})
    yield Kind("tiff-called-a-thumbnail", data, COLOUR, LOSSLESS)


def grey_and_palette() -> Iterator[Kind]:
    yield Kind("tiff-grey", simple(GREY, BLACK_IS_ZERO), rgb(GREY), LOSSLESS)
    yield Kind("tiff-white-is-zero", simple(255 - GREY, WHITE_IS_ZERO), rgb(GREY), LOSSLESS)
    for depth in (1, 2, 4):
        full = 2**depth - 1
        few = GREY >> (8 - depth)
        shown = rgb((few * (255 // full)).astype(np.uint8))
        by = PURE if depth > 1 else LOSSLESS
        yield Kind(f"tiff-grey-{depth}-bit", simple(few, BLACK_IS_ZERO, depth), shown, by)
        data = simple(full - few, WHITE_IS_ZERO, depth)
        yield Kind(f"tiff-white-is-zero-{depth}-bit", data, shown, by)
    turned = np.array([int(f"{value:08b}"[::-1], 2) for value in range(256)], np.uint8)
    data = simple(turned[GREY], BLACK_IS_ZERO, tags={266: 2})
    yield Kind("tiff-bits-the-other-way-round", data, rgb(GREY), ("Pillow", "OpenCV"))
    one = IMAGE.convert("1")
    for name in ("group3", "group4", "tiff_ccitt"):
        data = file_of(one, "TIFF", compression=name)
        yield Kind(f"tiff-{name}", data, np.asarray(one.convert("RGB")), ("Pillow", "OpenCV"))
    for depth in (1, 2, 4, 8):
        image = IMAGE.quantize(2**depth)
        table = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[: 2**depth]
        numbers = np.minimum(np.asarray(image), len(table) - 1)
        colours = np.pad(table, ((0, 2**depth - len(table)), (0, 0))).astype(int).T
        by = {1: ("Pillow", "OpenCV"), 2: PURE}.get(depth, LOSSLESS)
        for name, wide in (("", colours * 257), ("-low-bits-zero", colours * 256)):
            tags: Tags = {COLOUR_MAP: wide.reshape(-1).tolist()}
            data = simple(numbers, PALETTE, depth, tags=tags)
            yield Kind(f"tiff-palette-{depth}-bit{name}", data, table[numbers], by, tolerance=0)


def transparent() -> Iterator[Kind]:
    """A fourth or second sample: what it is, ExtraSamples says.

    Where it says 0, it is no alpha. Where there is no ExtraSamples, it is one: OpenCV writes so.
    """
    multiplied = (COLOUR.astype(int) * ALPHA[..., None] + 127) // 255
    associated = np.dstack([multiplied, ALPHA]).astype(np.uint8)
    for name, compressed in (("", False), ("-deflated", True)):
        for samples, extra, shown, kind in (
            (RGBA, 2, WHITE_BEHIND, "rgba"),
            (associated, 1, WHITE_BEHIND, "rgba-associated"),
            (RGBA, 0, COLOUR, "rgb-and-a-sample-of-kind-0"),
            (RGBA, None, WHITE_BEHIND, "rgb-and-a-sample-of-no-kind"),
        ):
            tags: Tags = {} if extra is None else {EXTRA: extra}
            data = simple(samples, IS_RGB, tags=tags)
            if compressed:
                tags |= {BITS: [8] * 4, COMPRESSION: 8, PHOTOMETRIC: IS_RGB}
                tags |= {SAMPLES: 4, ROWS: HEIGHT}
                data = tiff(WIDTH, HEIGHT, [zlib.compress(samples.tobytes())], tags)
            by = PURE if extra is not None else ("Pillow", "ImageMagick")
            yield Kind(f"tiff-{kind}{name}", data, shown, by)
    yield Kind("tiff-la", simple(LA, BLACK_IS_ZERO, tags={EXTRA: 2}), GREY_WHITE_BEHIND, PURE)
    grey = np.dstack([(GREY.astype(int) * ALPHA + 127) // 255, ALPHA]).astype(np.uint8)
    data = simple(grey, BLACK_IS_ZERO, tags={EXTRA: 1})
    yield Kind("tiff-la-associated", data, GREY_WHITE_BEHIND, ("tifffile", "ImageMagick"))
    data = simple(LA, BLACK_IS_ZERO, tags={EXTRA: 0})
    yield Kind("tiff-grey-and-a-sample-of-kind-0", data, rgb(GREY), PURE)
    planes = [RGBA[..., number].tobytes() for number in range(4)]
    tags = {BITS: [8] * 4, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 4, PLANAR: 2}
    tags |= {ROWS: HEIGHT, EXTRA: 2}
    data = tiff(WIDTH, HEIGHT, planes, tags)
    yield Kind("tiff-rgba-planar", data, WHITE_BEHIND, PURE)
    data = tiff(WIDTH, HEIGHT, [zlib.compress(plane) for plane in planes], {**tags, 259: 8})
    yield Kind("tiff-rgba-planar-deflated", data, WHITE_BEHIND, PURE)
    data = file_of(Image.fromarray(RGBA), "TIFF", compression="tiff_lzw")
    yield Kind("tiff-rgba-lzw", data, WHITE_BEHIND, PURE)
    data = file_of(Image.fromarray(LA), "TIFF", compression="tiff_lzw")
    yield Kind("tiff-la-lzw", data, GREY_WHITE_BEHIND, PURE)
    hidden = np.where(ALPHA[..., None] == 0, 9, COLOUR)
    data = simple(np.dstack([hidden, np.full_like(ALPHA, 255)]), IS_RGB, tags={EXTRA: 2})
    yield Kind("tiff-rgba-opaque", data, hidden.astype(np.uint8), PURE)
    yield from transparent_inks_and_palettes()


def transparent_inks_and_palettes() -> Iterator[Kind]:
    ink = np.asarray(IMAGE.convert("CMYK"))
    shown = over_white(by_pillow(simple(ink, CMYK)), ALPHA)
    five = np.dstack([ink, ALPHA])
    # Pillow has no such mode, and ImageMagick lays inks over a background of other colours.
    yield Kind("tiff-cmyk-alpha", simple(five, CMYK, tags={EXTRA: 2}), shown, ())
    strip = zlib.compress(five.tobytes())
    tags: Tags = {BITS: [8] * 5, COMPRESSION: 8, PHOTOMETRIC: CMYK, SAMPLES: 5, EXTRA: 2}
    yield Kind("tiff-cmyk-alpha-deflated", tiff(WIDTH, HEIGHT, [strip], tags), shown, ())
    multiplied = ((ink.astype(int) * ALPHA[..., None] + 127) // 255).astype(np.uint8)
    data = simple(np.dstack([multiplied, ALPHA]), CMYK, tags={EXTRA: 1})
    yield Kind("tiff-cmyk-alpha-associated", data, shown, (), 2)
    plain = by_pillow(simple(ink, CMYK))
    yield Kind("tiff-cmyk-and-a-fifth-ink", simple(five, CMYK), plain, ())
    yield Kind("tiff-cmyk-and-a-mask", simple(five, CMYK, tags={EXTRA: 0}), plain, ())
    image = IMAGE.quantize(16)
    table = np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:16]
    numbers = np.asarray(image)
    clear = over_white(table[numbers], ALPHA)
    for depth in (4, 8):
        wide = np.pad(table, ((0, 2**depth - 16), (0, 0))).astype(int).T * 257
        alpha = ALPHA >> (8 - depth)
        right = over_white(table[numbers], alpha * np.uint8(17)) if depth == 4 else clear
        palette: Tags = {COLOUR_MAP: wide.reshape(-1).tolist(), EXTRA: 2}
        data = simple(np.dstack([numbers, alpha]), PALETTE, depth, tags=palette)
        by = ("Pillow", "ImageMagick") if depth == 8 else ("ImageMagick",)
        yield Kind(f"tiff-palette-{depth}-bit-alpha", data, right, by)


def sixteen() -> Iterator[Kind]:
    colour = (COLOUR.astype(np.uint16) * 257 - 60 * (COLOUR > 128)).astype(np.uint16)
    alpha = ALPHA.astype(np.uint16) * 257
    shown = (colour / 257).round().astype(np.uint8)
    clear = over_white(colour, alpha)
    associated = (colour / 65535 * alpha[..., None]).round().astype(np.uint16)
    raw = ("tifffile", "ImageMagick")
    both = ("tifffile", "OpenCV with alpha")
    yield Kind("tiff-rgb16", simple(colour, IS_RGB, 16), shown, both)
    yield Kind("tiff-rgb16-big-endian", simple(colour, IS_RGB, 16, order=">"), shown, both)
    four = np.dstack([colour, alpha])
    yield Kind("tiff-rgba16", simple(four, IS_RGB, 16, tags={EXTRA: 2}), clear, raw)
    data = simple(np.dstack([associated, alpha]), IS_RGB, 16, tags={EXTRA: 1})
    yield Kind("tiff-rgba16-associated", data, clear, raw)
    data = simple(four, IS_RGB, 16, tags={EXTRA: 0})
    yield Kind("tiff-rgb16-and-a-sample-of-kind-0", data, shown, PURE)
    by = ("Pillow", "ImageMagick")
    yield Kind("tiff-rgb16-and-a-sample-of-no-kind", simple(four, IS_RGB, 16), clear, by)
    for name, samples, extra, right in (
        ("rgb16", colour, None, shown),
        ("rgba16", four, 2, clear),
        ("rgba16-associated", np.dstack([associated, alpha]), 1, clear),
    ):
        data = predicted(samples, {} if extra is None else {EXTRA: extra})
        yield Kind(f"tiff-{name}-deflated-predicted", data, right, raw)
    for name, samples, extra, right in (
        ("rgb16", colour, None, shown),
        ("rgba16", four, 2, clear),
        ("rgba16-associated", np.dstack([associated, alpha]), 1, clear),
    ):
        tags: Tags = {} if extra is None else {EXTRA: extra}
        tags |= {BITS: [16] * samples.shape[2], PHOTOMETRIC: IS_RGB, SAMPLES: samples.shape[2]}
        yield Kind(f"tiff-{name}-lzw", compressed(samples, tags), right, raw)
        yield Kind(f"tiff-{name}-lzw-big-endian", compressed(samples, tags, ">"), right, raw)
    planes = [lzw(colour[..., number]) for number in range(3)]
    tags = {BITS: [16] * 3, COMPRESSION: 5, PHOTOMETRIC: IS_RGB, SAMPLES: 3, PLANAR: 2}
    data = tiff(WIDTH, HEIGHT, planes, {**tags, ROWS: HEIGHT})
    yield Kind("tiff-rgb16-planar-lzw", data, shown, raw)
    padded = np.pad(colour, ((0, -HEIGHT % 16), (0, -WIDTH % 16), (0, 0)))
    tiles = [
        lzw(padded[top : top + 16, left : left + 16])
        for top in range(0, HEIGHT, 16)
        for left in range(0, WIDTH, 16)
    ]
    tags = {BITS: [16] * 3, COMPRESSION: 5, PHOTOMETRIC: IS_RGB, SAMPLES: 3}
    data = tiff(WIDTH, HEIGHT, tiles, {**tags, TILE_WIDTH: 16, TILE_HEIGHT: 16})
    yield Kind("tiff-rgb16-tiles-lzw", data, shown, raw)
    grey = GREY.astype(np.uint16) * 256 + 77
    shown = rgb((grey / 257).round().astype(np.uint8))
    both = ("tifffile", "Pillow")
    yield Kind("tiff-grey16", simple(grey, BLACK_IS_ZERO, 16), shown, both)
    data = simple(65535 - grey, WHITE_IS_ZERO, 16)
    yield Kind("tiff-white-is-zero-16", data, shown, raw)
    clear = over_white(np.repeat(grey[..., None], 3, 2), alpha)
    data = simple(np.dstack([grey, alpha]), BLACK_IS_ZERO, 16, tags={EXTRA: 2})
    yield Kind("tiff-la16", data, clear, raw)
    tags = {BITS: [16, 16], PHOTOMETRIC: BLACK_IS_ZERO, SAMPLES: 2, EXTRA: 2}
    data = compressed(np.dstack([grey, alpha]), tags)
    yield Kind("tiff-la16-lzw", data, clear, raw)


def lzw(samples: np.ndarray, order: str = "<") -> bytes:
    packed = samples.astype(order + "u2") if samples.dtype == np.uint16 else samples
    return bytes(imagecodecs.lzw_encode(packed.tobytes()))


def compressed(samples: np.ndarray, tags: Tags, order: str = "<") -> bytes:
    """Strips of ten rows by LZW."""
    strips = [lzw(samples[top : top + 10], order) for top in range(0, HEIGHT, 10)]
    return tiff(WIDTH, HEIGHT, strips, {**tags, COMPRESSION: 5, ROWS: 10}, order=order)


def predicted(samples: np.ndarray, tags: Tags) -> bytes:
    """One deflated strip of differences."""
    first = np.zeros_like(samples[:, :1])
    differences = np.diff(samples, axis=1, prepend=first)
    tags = {**tags, BITS: [16] * samples.shape[2], COMPRESSION: 8, PHOTOMETRIC: IS_RGB}
    tags |= {SAMPLES: samples.shape[2], ROWS: HEIGHT, PREDICTOR: 2}
    return tiff(WIDTH, HEIGHT, [zlib.compress(differences.astype("<u2").tobytes())], tags)


def other_colours() -> Iterator[Kind]:
    ink = np.asarray(IMAGE.convert("CMYK"))
    yield Kind("tiff-cmyk", simple(ink, CMYK), by_pillow(simple(ink, CMYK)), PURE)
    black = ink.copy()
    black[..., 3] = ALPHA // 2
    yield Kind("tiff-cmyk-black", simple(black, CMYK), by_pillow(simple(black, CMYK)), PURE, 2)
    data = file_of(Image.fromarray(black, "CMYK"), "TIFF", compression="tiff_lzw")
    yield Kind("tiff-cmyk-lzw", data, by_pillow(data), PURE, 2)
    lab = lab_of(COLOUR)
    right = rgb_of_lab(lab)
    yield Kind("tiff-lab", simple(lab, LAB), right, ("Pillow",))
    data = tiff(WIDTH, HEIGHT, [zlib.compress(lab.tobytes())], {**RGB_TAGS, 259: 8, 262: LAB})
    yield Kind("tiff-lab-deflated", data, right, ("Pillow",))
    unsigned = lab ^ np.array([0, 128, 128], np.uint8)
    yield Kind("tiff-icc-lab", simple(unsigned, 9), right, ())
    data = file_of(IMAGE.convert("YCbCr"), "TIFF")
    yield Kind("tiff-ycbcr", data, by_opencv(data), ("Pillow", "OpenCV"), 3)


D50 = np.array([0.9642, 1.0, 0.8249])
XYZ_OF_SRGB = np.array(
    [[0.4360, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]
)


def lab_of(colour: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D50 of sRGB, as TIFF stores it in 8 bits: a and b are signed."""
    unit = colour / 255
    light = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    share = light @ XYZ_OF_SRGB.T / D50
    root = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    x, y, z = np.moveaxis(root, 2, 0)
    lab = np.stack([(116 * y - 16) * 2.55, 500 * (x - y), 200 * (y - z)], axis=2)
    return lab.round().astype(np.int16).astype(np.uint8)


def rgb_of_lab(stored: np.ndarray) -> np.ndarray:
    """The way back, from the numbers that are stored."""
    level = stored[..., 0] / 2.55
    a, b = (stored[..., number].astype(np.int8).astype(float) for number in (1, 2))
    y = (level + 16) / 116
    root = np.stack([y + a / 500, y, y - b / 200], axis=2)
    share = np.where(root > 6 / 29, root**3, (116 * root - 16) * 27 / 24389)
    light = (share * D50 @ np.linalg.inv(XYZ_OF_SRGB).T).clip(0, 1)
    unit = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (unit * 255).round().astype(np.uint8)


def refused() -> Iterator[Kind]:
    plain = simple(COLOUR, IS_RGB)

    def bad(name: str, data: bytes, reason: str) -> Kind:
        return Kind(f"refused-tiff-{name}", data, None, (), 0, reason)

    def of(samples: np.ndarray, depth: int, form: int) -> bytes:
        tags: Tags = {BITS: depth, COMPRESSION: 1, PHOTOMETRIC: 1, SAMPLES: 1, FORMAT: form}
        return tiff(WIDTH, HEIGHT, [samples.tobytes()], {**tags, ROWS: HEIGHT})

    yield bad("cut", plain[: len(plain) // 2], "cut off")
    far = b"II+\0\x08\0\0\0" + b"\xff" * 8 + plain
    yield bad("directory-behind-all-bytes", far, "cut off")
    yield bad("strip-outside", tiff(WIDTH, HEIGHT, [b"12"], {**RGB_TAGS, 279: 99_999}), "cut off")
    yield bad("strip-too-short", tiff(WIDTH, HEIGHT, [bytes(50)], RGB_TAGS), "cut off|damaged")
    short = zlib.compress(bytes(100))
    yield bad("pixels-too-few", tiff(WIDTH, HEIGHT, [short], {**RGB_TAGS, 259: 8}), "damaged")
    packed = lzw(COLOUR)
    for name, content in (("cut", packed[: len(packed) // 2]), ("short", lzw(COLOUR[:9]))):
        data = tiff(WIDTH, HEIGHT, [content], {**RGB_TAGS, COMPRESSION: 5})
        yield bad(f"lzw-{name}", data, "damaged")
    missing = tiff(WIDTH, HEIGHT, strips_of(COLOUR, 8, 10)[:2], {**RGB_TAGS, ROWS: 10})
    yield bad("strip-missing", missing, "cut off|damaged")
    raw = tiff(WIDTH, HEIGHT, [GREY.tobytes()], {**RGB_TAGS, BITS: 8, SAMPLES: 1, 262: 32803})
    yield bad("raw", raw, "a raw photograph")
    yield bad("float", of(GREY.astype(np.float32), 32, 3), "float32")
    yield bad("half-float", of(GREY.astype(np.float16), 16, 3), "float16")
    yield bad("32-bit", of(GREY.astype(np.uint32), 32, 1), "32 bits")
    yield bad("signed", of(GREY.astype(np.int16), 16, 2), "int16")
    yield bad("12-bit", of(np.zeros(WIDTH * HEIGHT * 2, np.uint8), 12, 1), "12 bits")
    huge = tiff(1 << 20, 1 << 20, [b"12"], RGB_TAGS)
    yield bad("of-a-million-pixels-a-side", huge, "more than the limit")
    yield bad("no-size", tiff(0, HEIGHT, [b"12"], RGB_TAGS), "damaged")
    yield bad("no-such-compression", tiff(WIDTH, HEIGHT, [b"12"], {**RGB_TAGS, 259: 60000}), "TIFF")


RGB_TAGS: Tags = {BITS: [8] * 3, COMPRESSION: 1, PHOTOMETRIC: IS_RGB, SAMPLES: 3, ROWS: HEIGHT}
