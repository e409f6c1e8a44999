# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours and turns are those that a browser shows, and ImageMagick for what it cannot read."""

from __future__ import annotations

import base64
import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support import profiles
from support.heif import codes, grid_file, picture_file
from support.page import CHROMIUM, playwright
from support.pictures import exif, file_of
from support.profiles import ADOBE, P3, gamma, srgb_light, with_chunk, with_profile

from ffgan import images

pytestmark = pytest.mark.slow

PIXELS = """
async (data) => {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", { colorSpace: "srgb" });
    context.fillStyle = "white";
    context.fillRect(0, 0, image.width, image.height);
    context.drawImage(image, 0, 0);
    const found = context.getImageData(0, 0, image.width, image.height);
    let text = "";
    for (const value of found.data) text += String.fromCharCode(value);
    return [image.width, image.height, btoa(text)];
}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def soft(width: int = 96, height: int = 64) -> np.ndarray:
    """Colours that all spaces can show, on a smooth picture without a symmetry."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    return np.stack([90 + 90 * x, 80 + 80 * y, 120 - 90 * x * y], axis=2).round().astype(np.uint8)


def deep(factor: int = 257) -> bytes:
    return cv2.imencode(".png", (soft().astype(np.uint16) * factor)[..., ::-1])[1].tobytes()


def png() -> bytes:
    return file_of(Image.fromarray(soft()), "PNG")


OF_P3 = profiles.rgb_profile(P3, srgb_light)
OF_ADOBE = profiles.rgb_profile(ADOBE, gamma(2.19921875))
APERTURE = (b"clap", struct.pack(">IIIIiIiI", 40, 1, 30, 1, -5, 1, 7, 1))
WIDE = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)

# Not a clean aperture: Chromium 156 follows one that begins in the first row and column only.
SHOWN = {
    "JPEG of Display P3, turned": lambda: file_of(
        Image.fromarray(soft()), "JPEG", quality=98, icc_profile=OF_P3, exif=exif(6)
    ),
    "PNG of Adobe RGB": lambda: file_of(Image.fromarray(soft()), "PNG", icc_profile=OF_ADOBE),
    "PNG of 16 bits and Adobe RGB": lambda: with_profile(deep(), OF_ADOBE),
    "WebP of Display P3": lambda: file_of(
        Image.fromarray(soft()), "WEBP", lossless=True, icc_profile=OF_P3
    ),
    "grey JPEG with a profile": lambda: file_of(
        Image.fromarray(soft()[..., 0]), "JPEG", icc_profile=profiles.grey_profile(gamma(1.8))
    ),
    "PNG with cICP": lambda: with_chunk(png(), b"cICP", bytes([12, 13, 0, 1])),
    "PNG with gAMA": lambda: with_chunk(png(), b"gAMA", struct.pack(">I", 55556)),
    "PNG with gAMA and cHRM": lambda: with_chunk(
        with_chunk(png(), b"cHRM", WIDE), b"gAMA", struct.pack(">I", 55556)
    ),
    "PNG with the usual gAMA": lambda: with_chunk(png(), b"gAMA", struct.pack(">I", 45455)),
    "PNG with gAMA and sRGB": lambda: with_chunk(
        with_chunk(png(), b"gAMA", struct.pack(">I", 55556)), b"sRGB", b"\0"
    ),
    "AVIF with a profile": lambda: picture_file(soft(), "AVIF", (b"colr", b"prof" + OF_P3)),
    "AVIF of P3 by codes": lambda: picture_file(soft(), "AVIF", codes(12, 13)),
    "AVIF of BT.2020 by codes": lambda: picture_file(soft(), "AVIF", codes(9, 13)),
    "AVIF of BT.709 by codes": lambda: picture_file(soft(), "AVIF", codes(1, 1)),
    "AVIF of gamma 2.2 by codes": lambda: picture_file(soft(), "AVIF", codes(1, 4)),
    "AVIF of linear light": lambda: picture_file(soft(), "AVIF", codes(1, 8)),
    "AVIF of 10 bits and P3": lambda: picture_file(
        soft().astype(np.uint16) * 257, "AVIF", codes(12, 13)
    ),
    "AVIF, turned": lambda: picture_file(soft(), "AVIF", (b"irot", b"\1")),
    "AVIF, mirrored": lambda: picture_file(soft(), "AVIF", (b"imir", b"\0")),
    "AVIF, turned and mirrored": lambda: picture_file(
        soft(), "AVIF", (b"irot", b"\3"), (b"imir", b"\1")
    ),
    "AVIF of tiles": lambda: grid_file(
        [np.ascontiguousarray(soft(128, 64)[:, left : left + 64]) for left in (0, 64)],
        2,
        (120, 60),
        "AVIF",
    ),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_a_picture_looks_as_in_chromium(page: Any, kind: str) -> None:
    data = SHOWN[kind]()
    try:
        width, height, encoded = page.evaluate(PIXELS, base64.b64encode(data).decode())
    except playwright.Error as error:
        pytest.fail(f"Chromium cannot show it: {error}")
    shown = np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(height, width, 4)[..., :3]
    ours = images.decode(data)
    assert ours.shape == shown.shape
    assert np.abs(ours.astype(int) - shown).max() <= 3


HEIC = {
    "plain": (),
    "turned": ((b"irot", b"\1"),),
    "mirrored": ((b"imir", b"\1"),),
    "turned and mirrored": ((b"irot", b"\3"), (b"imir", b"\0")),
    "cut and turned": (APERTURE, (b"irot", b"\1")),
}


@pytest.mark.parametrize("kind", HEIC)
def test_a_heic_has_the_pixels_of_imagemagick(kind: str) -> None:
    program = shutil.which("convert")
    if program is None:
        pytest.skip("ImageMagick is not installed")
    data = picture_file(soft(), "HEIC", *HEIC[kind])
    done = subprocess.run([program, "heic:-", "png:-"], input=data, capture_output=True)
    if b"no decode delegate" in done.stderr:
        pytest.skip("this ImageMagick does not read HEIC")
    theirs = np.asarray(Image.open(io.BytesIO(done.stdout)).convert("RGB"))
    ours = images.decode(data)
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 3
