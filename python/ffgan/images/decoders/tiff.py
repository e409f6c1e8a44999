# SPDX-License-Identifier: GPL-3.0-or-later
"""TIFF, some strips or a row of tiles at a time: what the samples mean is said here.

Plain and deflated samples are taken as they are. Of the others a small TIFF is made for each piece
and given to Pillow, or to OpenCV where Pillow has not all bits. So nobody else's notion of alpha,
of turning or of white being zero comes in, and memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images.containers import Tiff
from ffgan.images.decoders.tiff_layout import (
    CMYK,
    COLOURS,
    ICC_LAB,
    LAB,
    PALETTE,
    WHITE_IS_ZERO,
    Layout,
    layout_of,
)
from ffgan.images.decoders.tiff_samples import pieces
from ffgan.images.raster import Part, Raster
from ffgan.typing import UInt8

_ASSOCIATED = 1


@dataclass(frozen=True)
class DecodedTiff:
    """The pixels of a TIFF's first page, with ``inks`` as CMYK if they are.

    ``parts`` raises DatasetError where they are damaged.
    """

    file: Tiff
    inks: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        width, height = self.file.size
        return height, width

    def parts(self) -> Iterator[Part]:
        layout = layout_of(self.file)
        palette = _palette(self.file, layout) if layout.photometric == PALETTE else None
        for top, samples in pieces(self.file, layout):
            rows = slice(top, top + len(samples))
            yield Part(rows, slice(None), self._raster(samples, layout, palette))

    def _raster(self, samples: NDArray[Any], layout: Layout, palette: UInt8 | None) -> Raster:
        """Samples (n, w, channels), uint8 or uint16, as pixels."""
        numbers = samples
        if layout.bits < 8:
            samples = samples * np.uint8(255 // ((1 << layout.bits) - 1))
        if layout.photometric in (LAB, ICC_LAB):
            return Raster(_from_lab(samples[..., :3], signed=layout.photometric == LAB), "RGB")
        colours, _ = COLOURS[layout.photometric]
        colour, others = samples[..., :colours], samples[..., colours:]
        alpha = others[..., 0] if layout.alpha and others.shape[2] else None
        if palette is not None:
            return Raster(palette[numbers[..., 0]], "RGB", alpha)
        if colours == 1:
            colour = colour[..., 0]
        if layout.photometric == WHITE_IS_ZERO:
            colour = ~colour
        if alpha is not None and layout.alpha == _ASSOCIATED:
            colour = _unassociated(colour, alpha)
        if layout.photometric == CMYK:
            if self.inks:
                return Raster(colour, "CMYK", alpha)
            return Raster(_from_cmyk(colour), "RGB", alpha)
        return Raster(colour, "L" if colour.ndim == 2 else "RGB", alpha)


def _palette(file: Tiff, layout: Layout) -> UInt8:
    """(256, 3) RGB."""
    colours = 1 << layout.bits
    table = np.array(file.tags.get(320, ()), np.uint32)
    if len(table) != 3 * colours:
        raise DatasetError("a TIFF without its palette")
    # Of 16 bits the high ones: the low ones are zeros or the high ones again, by the program.
    # And some write 8 bits where 16 belong.
    shift = 8 if (table > 255).any() else 0
    palette = np.zeros((256, 3), np.uint8)
    palette[:colours] = table.reshape(3, colours).T >> shift
    return palette


def _unassociated(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours that are multiplied with their alpha, without it."""
    full = np.uint32(np.iinfo(colour.dtype).max)
    opacity = np.maximum(alpha, 1).astype(np.uint32)
    if colour.ndim == 3:
        opacity = opacity[..., None]
    straight = (colour.astype(np.uint32) * full + opacity // 2) // opacity
    limited: NDArray[Any] = np.minimum(straight, full).astype(colour.dtype)
    return limited


def _from_cmyk(ink: NDArray[Any]) -> NDArray[Any]:
    """RGB of CMYK without a profile, as libtiff converts it."""
    full = np.uint32(np.iinfo(ink.dtype).max)
    paper = full - ink.astype(np.uint32)
    colour: NDArray[Any] = (paper[..., 3:] * paper[..., :3] // full).astype(ink.dtype)
    return colour


def _from_lab(lab: UInt8, *, signed: bool) -> UInt8:
    """RGB of CIE L*a*b* of 8 bits, under D50; ``signed``: a and b are, else 128 is 0."""
    from PIL import Image, ImageCms

    # Image.frombytes takes them as TIFF stores them, signed.
    encoded = lab if signed else lab ^ np.array([0, 128, 128], np.uint8)
    image = Image.frombytes("LAB", (lab.shape[1], lab.shape[0]), encoded.tobytes())
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    # LittleCMS 2.19 would take a coarse table instead, which is wrong by up to 32 of 255.
    exact = ImageCms.Flags.NOOPTIMIZE
    converted = ImageCms.profileToProfile(image, *profiles, outputMode="RGB", flags=exact)
    assert converted is not None
    return np.asarray(converted)
