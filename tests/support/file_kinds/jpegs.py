# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of JPEG files."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image

from support.file_kinds.kind import (
    COLOUR,
    GREY,
    HEIGHT,
    IMAGE,
    WIDTH,
    Kind,
    by_opencv,
    rgb,
)
from support.pictures import file_of

TOLERANCE = 3  # between two versions of libjpeg-turbo


def jpeg(image: Image.Image = IMAGE, **options: object) -> bytes:
    return file_of(image, "JPEG", **{"quality": 92, **options})


def segment(data: bytes, marker: int) -> int:
    """Where the first segment of a marker begins."""
    at = 2
    while data[at + 1] != marker:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def inserted(data: bytes, marker: int, content: bytes) -> bytes:
    """``content`` put in before the first segment of a marker."""
    at = segment(data, marker)
    return data[:at] + content + data[at:]


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


def scan_parameter(data: bytes, which: int, value: int) -> bytes:
    """With another value in the last three bytes of the first scan's header: Ss, Se, Ah and Al."""
    at = segment(data, 0xDA)
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return changed(data, end - 3 + which, value)


def without(data: bytes, marker: int) -> bytes:
    at = segment(data, marker)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def app(number: int, content: bytes) -> bytes:
    return bytes([0xFF, 0xE0 + number]) + struct.pack(">H", len(content) + 2) + content


def sampled(data: bytes, *factors: int) -> bytes:
    """With other sampling factors in the frame."""
    at = segment(data, 0xC0)
    for number, factor in enumerate(factors):
        data = changed(data, at + 11 + 3 * number, factor)
    return data


def quartered() -> bytes:
    """4:1:1; what Pillow calls so is 4:2:0."""
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411]
    made, data = cv2.imencode(".jpg", COLOUR[..., ::-1], options)
    assert made
    return data.tobytes()


def ends_in_zero(**options: object) -> bytes:
    """One whose last byte of pixels is zero: a code of zeros ends there, with the byte."""
    image = IMAGE.resize((64, 64))
    image.paste((90, 90, 90), (16, 32, 64, 64))
    for quality in range(30, 100):
        data = jpeg(image, **{"quality": quality, **options})
        if data.endswith(b"\0\xff\xd9") and not data.endswith(b"\xff\0\xff\xd9"):
            return data
    raise AssertionError("no quality gives one")


def kinds() -> Iterator[Kind]:
    plain = jpeg()
    pixels = by_opencv(plain)

    def same(name: str, data: bytes) -> Kind:
        return Kind(name, data, pixels, tolerance=TOLERANCE)

    def decoded(name: str, data: bytes, *by: str, tolerance: int = TOLERANCE) -> Kind:
        return Kind(name, data, by_opencv(data), by or ("Pillow", "OpenCV"), tolerance)

    yield same("jpeg", plain)
    assert np.abs(pixels.astype(int) - COLOUR).mean() < 6
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        yield decoded(f"jpeg-{sampling}", jpeg(subsampling=sampling))
    yield decoded("jpeg-4:1:1-of-four-columns", quartered())
    # TurboJPEG's name for that is one which simplejpeg does not know. As many blocks as 4:1:1.
    upright = sampled(quartered(), 0x14)
    at = segment(upright, 0xC0) + 5
    upright = upright[:at] + struct.pack(">HH", 32, 64) + upright[at + 4 :]
    yield decoded("jpeg-4:4:1", upright)
    yield decoded("jpeg-progressive", jpeg(progressive=True))
    yield decoded("jpeg-optimised", jpeg(optimize=True))
    yield decoded("jpeg-restart-markers", jpeg(restart_marker_blocks=1))
    yield decoded("jpeg-grey", jpeg(Image.fromarray(GREY)))
    yield decoded("jpeg-rgb-not-ycc", jpeg(keep_rgb=True))
    cmyk = IMAGE.convert("CMYK")
    yield decoded("jpeg-cmyk", jpeg(cmyk, subsampling=0))
    yield decoded("jpeg-cmyk-sampled-without-a-name", jpeg(cmyk, subsampling=2))
    yield decoded("jpeg-cmyk-without-adobe", without(jpeg(cmyk, subsampling=0), 0xEE), "Pillow")
    yield decoded("jpeg-without-jfif", without(plain, 0xE0))
    # Bytes that no decoder needs.
    yield same("jpeg-fill-ff-between-segments", inserted(plain, 0xDB, b"\xff" * 5))
    yield same("jpeg-zeros-between-segments", inserted(plain, 0xDB, bytes(4)))
    yield same("jpeg-segment-of-00e1", inserted(plain, 0xDB, b"\0\xe1\0\x10" + b"x" * 14))
    yield same("jpeg-zeros-before-scan", inserted(plain, 0xDA, bytes(7)))
    yield same("jpeg-zeros-before-end", plain[:-2] + bytes(9) + plain[-2:])
    yield same("jpeg-ff-before-end", plain[:-2] + b"\xff" * 9 + plain[-2:])
    yield same("jpeg-two-ends", plain + b"\xff\xd9")
    yield same("jpeg-zeros-behind-end", plain + bytes(70_000))
    yield same("jpeg-newline-behind-end", plain + b"\r\n")
    small = jpeg(IMAGE.resize((9, 7)))
    yield same("jpeg-gain-map-behind", plain + small)
    yield same("jpeg-motion-photo", plain + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4)
    other = IMAGE.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    multi = file_of(IMAGE, "MPO", quality=92, save_all=True, append_images=[other])
    yield same("jpeg-mpo", multi)
    yield same("jpeg-thumbnail-in-exif", inserted(plain, 0xDB, app(1, b"Exif\0\0" + small)))
    yield same("jpeg-comment", inserted(plain, 0xDB, b"\xff\xfe\0\x09\xff\xd9 hello"))
    # Headers that are not quite right.
    yield same("jpeg-samsung-scan-header", scan_parameter(plain, 1, 0))
    yield same("jpeg-scan-header-of-zeros-and-junk", scan_parameter(plain, 2, 0x21))
    for options in ({}, {"restart_marker_blocks": 2}):
        whole = ends_in_zero(**options)
        name = "-".join(["jpeg-samsung-scan-that-ends-in-zero", *options])
        for more in (0, 5):  # bytes that are left over
            data = scan_parameter(whole[:-2] + bytes(more) + whole[-2:], 1, 0)
            yield Kind(f"{name}-and-{more}", data, by_opencv(whole), tolerance=TOLERANCE)
    yield same("jpeg-adobe-transform-unknown", inserted(plain, 0xDB, ADOBE))
    yield same("jpeg-jfif-version-unknown", changed(plain, 11, 7))
    yield same("jpeg-bad-icc-segment", inserted(plain, 0xDB, app(2, b"ICC_PROFILE\0\3\1xx")))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield decoded(f"jpeg-exif-{orientation}", jpeg(exif=exif))
    yield from odd_exif(plain, pixels)
    yield from refused(plain)


def exif_of(*entries: tuple[int, int, int, int], promised: int | None = None) -> bytes:
    """A segment of entries: tag, type, number of values, value or place."""
    count = len(entries) if promised is None else promised
    fields = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    end = bytes(4) if promised is None else b""
    return app(1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, count) + fields + end)


SIDEWAYS = (0x0112, 3, 1, 6 << 16)


def odd_exif(plain: bytes, pixels: np.ndarray) -> Iterator[Kind]:
    """EXIF data that are not quite right, or come in several segments."""

    def kind(name: str, *segments: bytes, by: str = "Pillow", turned: bool = True) -> Kind:
        data = inserted(plain, 0xDB, b"".join(segments))
        shown = np.rot90(pixels, -1) if turned else pixels
        return Kind(f"jpeg-exif-{name}", data, shown, (by, "ImageMagick"), TOLERANCE)

    right, other = exif_of(SIDEWAYS), (0x9999, 3, 100, 1 << 20)
    # What does not fit into one segment goes on in the next.
    yield kind("of-two-segments", right, app(1, b"Exif\0\0" + b"notes" * 999))
    yield kind("twice", right, exif_of((0x0112, 3, 1, 1 << 16)))
    yield kind("with-a-value-that-is-gone", exif_of(SIDEWAYS, other), by="OpenCV")
    yield kind("with-a-value-that-is-gone-before", exif_of(other, SIDEWAYS), by="OpenCV")
    yield kind("cut", exif_of(SIDEWAYS, promised=9), by="OpenCV")
    yield kind("of-32-bits", exif_of((0x0112, 4, 1, 6)))
    yield kind("orientation-0", exif_of((0x0112, 3, 1, 0)), turned=False)
    yield kind("orientation-9", exif_of((0x0112, 3, 1, 9 << 16)), turned=False)


ADOBE = app(14, b"Adobe\0\x64\0\0\0\0\x07")


def refused(plain: bytes) -> Iterator[Kind]:
    noise = Image.effect_noise((120, 90), 90)
    large = jpeg(Image.merge("RGB", (noise, noise.rotate(180), noise)))
    half = len(large) // 2
    closed = large[:half] + b"\xff\xd9"
    hole = large[:half] + bytes(300) + large[half + 300 :]
    damaged = large[:half] + b"\xff\xd3\xff\xd1" + large[half + 4 :]

    def bad(name: str, data: bytes, reason: str) -> Kind:
        return Kind(f"refused-jpeg-{name}", data, None, (), 0, reason)

    yield bad("cut", large[:half], "cut off")
    yield bad("no-end", plain[:-2], "cut off")
    yield bad("cut-and-closed", closed, "damaged: Corrupt JPEG data: premature end")
    yield bad("hole", damaged, "damaged: Corrupt JPEG data")
    # The same behind a first warning that costs nothing.
    for name, spoilt in (("closed", closed), ("hole", damaged)):
        yield bad(f"samsung-{name}", scan_parameter(spoilt, 1, 0), "damaged: Corrupt JPEG data")
        yield bad(f"zeros-{name}", inserted(spoilt, 0xDB, bytes(4)), "damaged: Corrupt JPEG data")
        yield bad(f"adobe-{name}", inserted(spoilt, 0xDB, ADOBE), "damaged: Corrupt JPEG data")
        yield bad(f"jfif-{name}", changed(spoilt, 11, 7), "damaged: Corrupt JPEG data")
    motion = scan_parameter(closed, 1, 0) + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4
    yield bad("samsung-motion-photo-cut", motion, "damaged: Corrupt JPEG data")
    yield bad("two-warnings-in-the-scan", hole[:-2] + bytes(5) + hole[-2:], "damaged")
    cmyk = Image.merge("CMYK", (noise, noise, noise, noise))
    odd = jpeg(cmyk, subsampling=2)
    yield bad("unnamed-sampling-closed", odd[: len(odd) // 2] + b"\xff\xd9", "damaged")
    yield bad("unnamed-sampling-cut", odd[: len(odd) // 2], "cut off")
    frame = segment(plain, 0xC0)
    yield bad("12-bit", changed(plain, frame + 4, 12), "12 bits per sample")
    yield bad("lossless", changed(plain, frame + 1, 0xC3), "lossless")
    wide = plain[: frame + 5] + struct.pack(">HH", 65000, 65000) + plain[frame + 9 :]
    yield bad("of-65000-pixels-a-side", wide, "are more than the limit")
    yield bad("of-no-height", plain[: frame + 5] + b"\0\0" + plain[frame + 7 :], "damaged")
    assert HEIGHT < WIDTH
    assert rgb(GREY).shape == COLOUR.shape
