# SPDX-License-Identifier: GPL-3.0-or-later
"""Image files to upright 8-bit RGB over white: what is decoded how, and by what."""

from __future__ import annotations

from typing import Final, NamedTuple

from ffgan.errors import DatasetError
from ffgan.images.colour import Colour, Colours, conversion, takes_inks
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers import Avif, Bmp, Container, Heic, Jpeg, JpegXl, Png, Tiff, container
from ffgan.images.decoders.bmp import decode_bmp
from ffgan.images.decoders.jpeg import decode_jpeg
from ffgan.images.decoders.opencv import decode_by_opencv
from ffgan.images.decoders.plugins import decode_avif, decode_heic, decode_jpeg_xl
from ffgan.images.decoders.png import DecodedPng
from ffgan.images.decoders.tiff import DecodedTiff
from ffgan.images.raster import Decoded, to_rgb
from ffgan.typing import RGB

MAX_PIXELS: Final = 100_000_000
"""Decoding refuses images of more pixels."""

MAX_SIDE: Final = 1 << 20
"""Decoding refuses images of more pixels a side: OpenCV takes no more."""

BYTES_PER_PIXEL: Final = 20
"""Most memory that decoding takes, besides the file and some 16 MB, for each pixel of the file.

The result has 3. Most kinds take 3 to 6, as their pixels are converted by strips. More take what
only comes whole: progressive JPEGs 9, of CMYK 12, WebP and HEIC 9, AVIF 18, and a TIFF of 16 bits
with alpha in one strip that is neither plain nor deflated 20.
"""

_BYTES_PER_PIXEL: Final = {"PNG": 7, "BMP": 6, "WebP": 9, "HEIC": 10, "AVIF": 18, "JPEG XL": 12}
"""As BYTES_PER_PIXEL, of kinds of which the header says no more; a JPEG XL may hold a JPEG."""

_COMPRESSION: Final = 259
_UNPACKED_BY_STRIPS: Final = (1, 8, 32946)  # plain and deflated TIFFs


class Picture(NamedTuple):
    """A decoded image, (h, w, 3) uint8 RGB, and what became of its colours."""

    image: RGB
    colours: Colours


def decode(
    data: bytes | Container,
    *,
    at_least: int | None = None,
    reduce: bool = False,
    colour: Colour = "convert",
) -> RGB:
    """The image in a file of any of `kinds.suffixes`, its bytes or container, as (h, w, 3) RGB.

    Grey and palette become RGB, colours become sRGB by the file's profile, CMYK without one is
    converted as if each ink were ideal, 16 bits are rounded to 8, transparency is laid over white,
    EXIF orientation is applied (in AVIF and HEIC the turns that the format has), of several frames
    the first is taken, of a DNG the preview. With ``at_least`` a large JPEG may come at 1/2, 1/4 or
    1/8 of its size, as long as its shorter side keeps twice that many pixels; this is faster. With
    ``reduce`` a JPEG of more than MAX_PIXELS comes at the first of these sizes that has fewer,
    unless it is progressive, since such a file is unpacked whole. With ``colour`` "ignore" the
    numbers are taken for sRGB, whatever the file says of them.

    Raises DatasetError with the reason alone (the caller knows the name) otherwise:
    another type, a file that is cut off or damaged, more than MAX_PIXELS pixels.
    """
    return decode_picture(data, at_least=at_least, reduce=reduce, colour=colour).image


def decode_picture(
    data: bytes | Container,
    *,
    at_least: int | None = None,
    reduce: bool = False,
    colour: Colour = "convert",
) -> Picture:
    """What `decode` returns, and what became of the colours."""
    file = data if isinstance(data, Container) else container(data)
    width, height = file.size
    shrink = _shrink(file, None, reduce)
    if width * height > MAX_PIXELS and shrink == 1:
        raise DatasetError(
            f"{width}x{height} pixels are more than the limit of {MAX_PIXELS // 10**6} million"
        )
    if max(width, height) > MAX_SIDE:
        raise DatasetError(f"{width}x{height}: more than the limit of {MAX_SIDE} pixels a side")
    orientation, content = file.check()
    shrink = _shrink(file, at_least, reduce)
    space = file.colour_space
    if isinstance(file, JpegXl):
        # Its decoder says what its colours are, and may find a JPEG.
        found, space = decode_jpeg_xl(file)
        if isinstance(found, Jpeg):
            return decode_picture(found, at_least=at_least, reduce=reduce, colour=colour)
        decoded = found
    else:
        decoded = _decoded(file, content, shrink, space if colour == "convert" else None)
    convert = conversion(space)
    if convert is not None and colour == "ignore":
        return Picture(to_rgb(decoded, orientation, None), "ignored")
    image = to_rgb(decoded, orientation, convert)
    return Picture(image, "srgb" if convert is None else convert.colours)


def _decoded(file: Container, content: bytes, shrink: int, space: ColourSpace | None) -> Decoded:
    """The pixels of a file, as they are stored, by the decoder of its kind."""
    if isinstance(file, Jpeg):
        inks = takes_inks(space) and file.components == 4
        return decode_jpeg(content, shrink, inks=inks)
    if isinstance(file, Bmp):
        return decode_bmp(file)
    if isinstance(file, Png):
        return DecodedPng(file)
    if isinstance(file, Heic):
        return decode_heic(file)
    if isinstance(file, Avif):
        return decode_avif(file)
    if isinstance(file, Tiff):
        return DecodedTiff(file, inks=takes_inks(space))
    return decode_by_opencv(content)


def memory_of(file: Container, *, at_least: int | None = None, reduce: bool = False) -> int:
    """Most bytes that `decode` takes for a file, by its header, besides the file and some 16 MB.

    0 for one that is refused by its size. Raises DatasetError where there is no header.
    """
    width, height = file.size
    pixels = width * height
    if pixels > MAX_PIXELS and _shrink(file, None, reduce) == 1:
        return 0
    if isinstance(file, Jpeg):
        inks = file.components == 4
        if file.sequential:
            return (9 if inks else 6) * pixels // _shrink(file, at_least, reduce) ** 2
        return (12 if inks else 9) * pixels  # unpacked whole, whatever is made of it
    if isinstance(file, Tiff):
        plain = file.tags.get(_COMPRESSION, (1,))[0] in _UNPACKED_BY_STRIPS
        return (5 if plain else BYTES_PER_PIXEL) * pixels
    return _BYTES_PER_PIXEL.get(file.kind, BYTES_PER_PIXEL) * pixels


def _shrink(file: Container, at_least: int | None, reduce: bool) -> int:
    """By how much a file is made smaller while it is decoded: 1, 2, 4 or 8."""
    if not isinstance(file, Jpeg):
        return 1
    width, height = file.size
    shrink = _reduction(width, height) if reduce and file.sequential else 1
    if at_least:
        enough = (s for s in (8, 4, 2) if min(width, height) >= 2 * at_least * s)
        shrink = max(shrink, next(enough, 1))
    return shrink


def _reduction(width: int, height: int) -> int:
    """Of a JPEG too large to be decoded as it is: 2, 4 or 8; 1 where none of them is enough."""
    return next((s for s in (1, 2, 4, 8) if -(-width // s) * -(-height // s) <= MAX_PIXELS), 1)
