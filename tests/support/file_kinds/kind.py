# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of file, the picture in all of them, and the decoders whose word is asked."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps

WIDTH, HEIGHT = 37, 29  # rows of any depth end with bits to spare


@dataclass(frozen=True)
class Kind:
    """A file of one kind.

    ``pixels``: the right ones, (h, w, 3) uint8, which the decoders named in ``by`` make of it, too,
    up to ``tolerance``. Where the file is to be refused, ``reason`` is what the error says.
    """

    name: str
    data: bytes
    pixels: np.ndarray | None
    by: tuple[str, ...] = ("Pillow", "OpenCV")
    tolerance: int = 1
    reason: str = ""


def _picture() -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    disc = np.hypot(x - 20, (y - 12) * 1.2) < 9
    red = np.where(disc, 225 - 2 * y, 40 + 4 * x)
    green = np.where(disc, 180 - x, 30 + 6 * y)
    blue = np.where(disc, 150 - y, 200 - 4 * x)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


COLOUR = _picture()
"""(HEIGHT, WIDTH, 3), different in each corner, opaque."""

IMAGE = Image.fromarray(COLOUR)
GREY = np.asarray(IMAGE.convert("L"))
ALPHA = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))
RGBA = np.dstack([COLOUR, ALPHA])
LA = np.dstack([GREY, ALPHA])


def rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(h, w, 3) laid over white; both may be uint8 or uint16."""
    full = np.iinfo(colour.dtype).max
    opacity = alpha[..., None] / full
    return (255 * (colour / full * opacity + 1 - opacity)).round().astype(np.uint8)


WHITE_BEHIND = over_white(COLOUR, ALPHA)
GREY_WHITE_BEHIND = over_white(rgb(GREY), ALPHA)


# --- The decoders ---


def by_pillow(data: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode.startswith("I;16"):
        return rgb((np.asarray(image) / 257).round().astype(np.uint8))
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        exact = ImageCms.Flags.NOOPTIMIZE
        made = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB", flags=exact)
        return np.asarray(made)
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return over_white(pixels[..., :3], pixels[..., 3])
    return np.asarray(image.convert("RGB"))


def by_opencv(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def by_opencv_with_alpha(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 4:
        return over_white(pixels[..., 2::-1], pixels[..., 3])
    full = np.iinfo(pixels.dtype).max
    return (pixels[..., ::-1] / full * 255).round().astype(np.uint8)


def by_tifffile(data: bytes) -> np.ndarray:
    """The samples as tifffile hands them out, with the meaning that TIFF 6.0 gives them."""
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    samples = page.asarray()
    if page.planarconfig == 2 and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, 2)
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        table = (np.asarray(page.colormap) >> 8).astype(np.uint8)
        return turned(np.moveaxis(table[:, samples], 0, 2), page)
    bits = page.bitspersample
    full = 2**bits - 1
    unit = samples.astype(np.float64) / full
    if page.photometric == tifffile.PHOTOMETRIC.SEPARATED:
        unit = (1 - unit[..., :3]) * (1 - unit[..., 3:])
        return turned((unit * 255).round().astype(np.uint8), page)
    grey = page.photometric in (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)
    colours = 1 if grey else 3
    unit = unit.reshape(*unit.shape[:2], -1)
    colour, extra = unit[..., :colours], unit[..., colours:]
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        colour = 1 - colour
    kind = tuple(page.extrasamples)[:1]
    if kind == (1,):
        colour = colour + 1 - extra[..., :1]
    elif kind == (2,):
        colour = colour * extra[..., :1] + 1 - extra[..., :1]
    colour = np.broadcast_to(colour, (*colour.shape[:2], 3))
    return turned((colour.clip(0, 1) * 255).round().astype(np.uint8), page)


def turned(pixels: np.ndarray, page: tifffile.TiffPage) -> np.ndarray:
    orientation = page.tags.get(274)
    value = 1 if orientation is None else int(orientation.value)
    if value in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if value in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if value in (3, 4, 7, 8) else pixels


def by_imagemagick(data: bytes) -> np.ndarray:
    command = ["convert", "-", "-auto-orient", "-background", "white", "-flatten"]
    command += ["-depth", "8", "ppm:-"]
    made = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    return np.asarray(Image.open(io.BytesIO(made)).convert("RGB"))


DECODERS = {
    "Pillow": by_pillow,
    "OpenCV": by_opencv,
    "OpenCV with alpha": by_opencv_with_alpha,
    "tifffile": by_tifffile,
    "ImageMagick": by_imagemagick,
}
