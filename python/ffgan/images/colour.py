# SPDX-License-Identifier: GPL-3.0-or-later
"""From the colours that a file means to sRGB.

An ICC profile is applied by LittleCMS: relative colorimetric, with black point compensation. What
LittleCMS is not offered for by Pillow, samples of 16 bits and spaces told by codes (CICP of AVIF,
HEIC and PNG; gAMA and cHRM of PNG), goes through curves and a matrix here. PQ and HLG are mapped
to the range of sRGB, with their diffuse white of 203 cd/m2 a little below white.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan.images import icc
from ffgan.images.colour_space import PRIMARIES, SRGB_PRIMARIES, UNSPECIFIED, ColourSpace
from ffgan.images.raster import Mode, Raster, over_white
from ffgan.typing import Float32

Colour: TypeAlias = Literal["convert", "ignore"]
COLOURS: Final[tuple[Colour, ...]] = ("convert", "ignore")
"""What to do with the colour space of a file: convert to sRGB, or take the numbers as they are."""

Colours: TypeAlias = Literal["srgb", "converted", "ignored", "unusable"]
"""What became of the colours of an image. "ignored": they are another space's, and were taken for
sRGB as was asked; "unusable": so were they, since the profile does not fit or cannot be read."""

COLOUR_NOTES: Final[dict[Colours, str]] = {
    "converted": "in another colour space, converted to sRGB",
    "ignored": "in another colour space, which is ignored",
    "unusable": "with a colour profile that cannot be used, taken for sRGB",
}
"""What to say behind the number of such images."""

TOLERANCE: Final = 2
"""A space that moves no sample by more than this, of 255, counts as sRGB: it is not converted."""

DIFFUSE_WHITE: Final = 203.0  # cd/m2, ITU-R BT.2408
KNEE: Final = 0.5

_Convert: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

_ICC_OF_MODE: Final[dict[Mode, str]] = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

_BRADFORD: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50: Final = np.array([0.9642, 1.0, 0.8249])


class _Unusable(Exception):
    """A profile that LittleCMS refuses, of another colour space, or a code without meaning."""


class Conversion:
    """Brings the parts of one image to sRGB, one by one; then ``colours`` says what became of them.

    Parts of "RGB" and "L" remain of that mode, and of their type, or become 8 bits where a profile
    has tables; "CMYK" becomes "RGB". A part that the profile does not fit is returned as it is.
    """

    def __init__(self, space: ColourSpace) -> None:
        self._space = space
        self.colours: Colours = "srgb"

    def __call__(self, part: Raster) -> Raster:
        part = _grey_as_grey(part, self._space)
        found = _converter(self._space, part.mode, part.samples.dtype.itemsize)
        if found is None:
            return part
        if found == "unusable":
            self.colours = "unusable"
            return part
        self.colours = "converted"
        convert, deep = found
        samples, alpha = part.samples, part.alpha
        if samples.dtype != np.uint8 and not deep:
            samples = over_white(samples, None)
            alpha = None if alpha is None else over_white(alpha, None)
        return Raster(convert(samples), "L" if part.mode == "L" else "RGB", alpha)


def conversion(space: ColourSpace | None) -> Conversion | None:
    """What brings an image of this space to sRGB; None where nothing is to be done."""
    if space is None or (not space.damaged and _converter(space, _mode(space), 1) is None):
        return None
    return Conversion(space)


def takes_inks(space: ColourSpace | None) -> bool:
    """Whether the space converts CMYK, so that the inks are needed as they are stored."""
    if space is None or _mode(space) != "CMYK":
        return False
    return isinstance(_converter(space, "CMYK", 1), tuple)


def _mode(space: ColourSpace) -> Mode:
    """The mode that an image of this space has."""
    modes: dict[str, Mode] = {name: mode for mode, name in _ICC_OF_MODE.items()}
    return "RGB" if space.icc is None else modes.get(icc.space(space.icc), "RGB")


def _grey_as_grey(raster: Raster, space: ColourSpace) -> Raster:
    """Grey that its decoder gave as RGB, where the profile is one for grey."""
    if raster.mode != "RGB" or space.icc is None or _mode(space) != "L":
        return raster
    samples = raster.samples
    if not all((samples[..., 1] == samples[..., channel]).all() for channel in (0, 2)):
        return raster
    return Raster(np.ascontiguousarray(samples[..., 1]), "L", raster.alpha)


# A space comes with thousands of files, a CMYK profile has half a megabyte.
@lru_cache(maxsize=16)
def _converter(
    space: ColourSpace, mode: Mode, bytes_per_sample: int
) -> tuple[_Convert, bool] | Literal["unusable"] | None:
    """What converts samples, and whether it takes 16 bits; None for sRGB."""
    try:
        if space.damaged:
            raise _Unusable
        eight = _of_codes(space, mode, 1) if space.icc is None else _of_icc(space.icc, mode)
        if mode != "CMYK" and _changes_nothing(eight, mode):
            return None
        if bytes_per_sample == 1:
            return eight, False
        if space.icc is None:
            return _of_codes(space, mode, 2), True
        deep = _of_icc_curves(space.icc, mode)
        return (eight, False) if deep is None else (deep, True)
    except _Unusable:
        return "unusable"


def _changes_nothing(convert: _Convert, mode: Mode) -> bool:
    if mode == "L":
        probe = np.arange(256, dtype=np.uint8)[None]
    else:
        levels = np.linspace(0, 255, 18).round().astype(np.uint8)
        probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(18, -1, 3)
        greys = np.repeat(np.arange(252, dtype=np.uint8), 3).reshape(-1, 18 * 7, 3)
        probe = np.concatenate([probe.reshape(-1, 3), greys.reshape(-1, 3)])[None]
    moved = np.abs(convert(probe).astype(np.int16) - probe)
    return bool(moved.max() <= TOLERANCE)


# --- ICC profiles ---


def _of_icc(profile: bytes, mode: Mode) -> _Convert:
    """The conversion of 8-bit samples by a profile."""
    if (codes := _high_dynamic_range(profile)) is not None:
        return _of_codes(codes, mode, 1)
    if icc.space(profile) != _ICC_OF_MODE.get(mode):
        raise _Unusable
    from PIL import Image, ImageCms

    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        raise _Unusable from error

    def by_transform(samples: NDArray[Any]) -> NDArray[Any]:
        stored = Image.frombuffer(
            mode, (samples.shape[1], samples.shape[0]), np.ascontiguousarray(samples)
        )
        rgb = Image.new("RGB", stored.size)
        transform.transform.apply(stored.getim(), rgb.getim())
        return np.asarray(rgb)

    if mode == "L":
        levels = by_transform(np.arange(256, dtype=np.uint8)[None])[0, :, 1].copy()
        return lambda samples: levels[samples]
    return by_transform


def _of_icc_curves(profile: bytes, mode: Mode) -> _Convert | None:
    """The conversion of 16-bit samples by a profile of curves and a matrix, None for others."""
    if (codes := _high_dynamic_range(profile)) is not None:
        return _of_codes(codes, mode, 2)
    shaper = icc.shaper(profile, 1 << 16)
    if shaper is None or mode == "CMYK":
        return None
    matrix = None
    if shaper.matrix is not None:
        matrix = np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ shaper.matrix
    return _by_curves(shaper.curves, matrix, 2)


def _high_dynamic_range(profile: bytes) -> ColourSpace | None:
    """What a profile says by codes, where that is more than its curves can."""
    codes = icc.cicp(profile)
    if codes is None or codes[1] not in (16, 18):
        return None
    return ColourSpace(primaries=codes[0], transfer=codes[1])


# --- Curves and a matrix ---


def _of_codes(space: ColourSpace, mode: Mode, bytes_per_sample: int) -> _Convert:
    """The conversion of a space that is told by primaries and a transfer function."""
    if mode not in ("L", "RGB"):
        raise _Unusable
    curve = _light(space.transfer, 1 << 8 * bytes_per_sample)
    matrix = None
    if mode == "RGB":
        matrix = np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ _to_xyz(space.primaries)
    return _by_curves(curve[None], matrix, bytes_per_sample)


def _by_curves(curves: Float32, matrix: NDArray[Any] | None, bytes_per_sample: int) -> _Convert:
    """Samples to light by ``curves`` (1 or 3, n), to the light of sRGB by ``matrix``, to sRGB."""
    encoded = _srgb_of_light(bytes_per_sample)

    def level(light: NDArray[Any]) -> NDArray[Any]:
        place = np.clip(light, 0, 1) * np.float32(65535) + np.float32(0.5)
        levels: NDArray[Any] = encoded[place.astype(np.uint16)]
        return levels

    if matrix is None:
        grey = level(curves[0])
        return lambda samples: grey[samples]
    mixed = matrix.astype(np.float32)

    def convert(samples: NDArray[Any]) -> NDArray[Any]:
        red, green, blue = (curves[c % len(curves)][samples[..., c]] for c in range(3))
        made = np.empty_like(samples)
        for channel in range(3):
            r, g, b = mixed[channel]
            # One operation after the other, so that every machine rounds alike.
            made[..., channel] = level(red * r + green * g + blue * b)
        return made

    return convert


@cache
def _srgb_of_light(bytes_per_sample: int) -> NDArray[Any]:
    """sRGB's samples of 65,536 amounts of light."""
    light = np.linspace(0, 1, 1 << 16)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    full = (1 << 8 * bytes_per_sample) - 1
    levels: NDArray[Any] = np.rint(encoded * full)
    return levels.astype(np.uint8 if bytes_per_sample == 1 else np.uint16)


def _light(transfer: int | float, samples: int) -> Float32:
    """Light from 0 to 1 of evenly spaced samples, by a code of H.273 or an exponent."""
    x = np.linspace(0, 1, samples)
    if isinstance(transfer, float):
        light = x**transfer
    elif transfer in (1, 6, 11, 12, 13, 14, 15, UNSPECIFIED):
        # Those of video (1, 6, 11, 12, 14, 15) describe cameras; what they film is shown like sRGB.
        light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    elif transfer in (4, 5):
        light = x ** {4: 2.2, 5: 2.8}[transfer]
    elif transfer == 7:
        light = np.where(x < 0.0913, x / 4, ((x + 0.1115) / 1.1115) ** (1 / 0.45))
    elif transfer == 8:
        light = x
    elif transfer == 16:
        root = x ** (1 / 78.84375)
        peak = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = _in_range(10_000 * peak ** (1 / 0.1593017578125) / DIFFUSE_WHITE)
    elif transfer == 18:
        scene = np.where(
            x <= 0.5, x**2 / 3, (np.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12
        )
        light = _in_range(1_000 * scene**1.2 / DIFFUSE_WHITE)
    else:
        raise _Unusable
    return light.astype(np.float32)


def _in_range(light: NDArray[Any]) -> NDArray[Any]:
    """Light relative to diffuse white, bent above `KNEE` so that nothing exceeds 1."""
    above = np.maximum(light - KNEE, 0) / (1 - KNEE)
    return np.where(light <= KNEE, light, KNEE + (1 - KNEE) * (1 - np.exp(-above)))


def _to_xyz(primaries: int | tuple[float, ...]) -> NDArray[Any]:
    """(3, 3), from the light of primaries to XYZ under D50."""
    if isinstance(primaries, int):
        code = SRGB_PRIMARIES if primaries == UNSPECIFIED else primaries
        if code not in PRIMARIES:
            raise _Unusable
        primaries = PRIMARIES[code]
    if min(primaries[1::2]) <= 0:
        raise _Unusable
    points = np.array(primaries, np.float64).reshape(4, 2).T
    xyz = np.stack([points[0], points[1], 1 - points[0] - points[1]]) / points[1]
    colours, white = xyz[:, :3], xyz[:, 3]
    try:
        matrix = colours * np.linalg.solve(colours, white)
        gain = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    except np.linalg.LinAlgError as error:
        raise _Unusable from error
    if not (np.isfinite(matrix).all() and np.isfinite(gain).all()):
        raise _Unusable
    adapted: NDArray[Any] = np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD @ matrix
    return adapted
