# SPDX-License-Identifier: GPL-3.0-or-later
"""HEIC, AVIF and JPEG XL by Pillow and its relatives, which need care with depth and errors."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DatasetError
from ffgan.images import kinds
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers import DAMAGED, Avif, Heic, Jpeg, JpegXl
from ffgan.images.decoders.opencv import imdecode
from ffgan.images.lazy_opencv import opencv
from ffgan.images.raster import Decoded, Mode, Part, Raster, strips

_CHANNELS: Final = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I": 1}


def decode_heic(file: Heic) -> Decoded:
    """A HEIC file's pixels, cropped and turned as the file says. Raises DatasetError."""
    with _extra(file.kind):
        import pillow_heif
    with _refusals():
        # Ten bits would be cut to eight by it, not rounded.
        opened = pillow_heif.open_heif(file.data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        primary = opened[opened.primary_index]
        samples = np.array(primary)
        # Of 10 bits and more the name of the mode ends in their number.
        bits = 8 if samples.dtype == np.uint8 else int(primary.mode.partition(";")[2])
        return _as_decoded(samples, bits, bool(primary.premultiplied_alpha))


def decode_avif(file: Avif) -> Decoded:
    """An AVIF file's pixels, cropped but not turned. Raises DatasetError."""
    bits = 8
    if opencv().haveImageWriter("x.avif") and not file.grey_with_alpha:
        # Its AV1 decoder finds damage, which that of Pillow turns into colours; and Pillow gives
        # eight bits of ten, cut and not rounded. But OpenCV has no grey with alpha.
        samples = _rgb_of_bgr(imdecode(file.data, int(opencv().IMREAD_UNCHANGED)))
        bits = 8 if samples.dtype == np.uint8 else file.bits
    else:
        from PIL import Image

        with _refusals(), Image.open(io.BytesIO(file.data), formats=["AVIF"]) as image:
            samples = np.array(image)
    if samples.shape[:2] != file.size[::-1]:
        raise DatasetError(DAMAGED)
    if file.crop is not None:
        samples = np.ascontiguousarray(samples[file.crop])
    return _as_decoded(samples, bits)


def decode_jpeg_xl(file: JpegXl) -> tuple[Decoded | Jpeg, ColourSpace | None]:
    """A JPEG XL file's pixels, turned, and their colours; or the JPEG that was packed in it.

    Raises DatasetError.
    """
    with _extra(file.kind):
        import pillow_jxl
    with _refusals():
        packed, info, data, profile, *_ = pillow_jxl.Decoder(num_threads=0)(file.data)
    if packed:
        jpeg = Jpeg(data)
        if jpeg.size != file.size:
            raise DatasetError(DAMAGED)
        return jpeg, None
    channels = _CHANNELS.get(info.mode.partition(";")[0])
    width, height = int(info.width), int(info.height)
    if channels is None or sorted((width, height)) != sorted(file.size):
        raise DatasetError(DAMAGED)
    wide = len(data) // (width * height * channels)
    if wide not in (1, 2):
        raise DatasetError("pixels of floating point, only 8 and 16 bits are supported")
    shape = (height, width) if channels == 1 else (height, width, channels)
    samples = np.frombuffer(data, np.uint8 if wide == 1 else np.uint16).reshape(shape).copy()
    return _as_decoded(samples, 8 * wide), ColourSpace(icc=profile) if profile else None


def _as_decoded(samples: NDArray[Any], bits: int, premultiplied: bool = False) -> Decoded:
    if samples.ndim == 3 and samples.shape[2] == 3 and bits == 8:
        return Raster(samples, "RGB")
    return _Stored(samples, bits, premultiplied)


@dataclass(frozen=True)
class _Stored:
    """Samples (h, w) or (h, w, 2 to 4), the last of 2 and 4 alpha, of ``bits`` each."""

    samples: NDArray[Any]
    bits: int
    premultiplied: bool

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.samples.shape[:2]
        return height, width

    def parts(self) -> Iterator[Part]:
        channels = 1 if self.samples.ndim == 2 else self.samples.shape[2]
        mode: Mode = "L" if channels <= 2 else "RGB"
        for rows in strips(self.shape):
            part = self._sixteen_bits(self.samples[rows])
            if channels in (1, 3):
                yield Part(rows, slice(None), Raster(part, mode))
                continue
            colour, alpha = part[..., :-1], part[..., -1]
            if self.premultiplied:
                full = np.iinfo(part.dtype).max
                opacity = np.maximum(alpha, 1).astype(np.uint32)[..., None]
                wide = (colour.astype(np.uint32) * full + opacity // 2) // opacity
                colour = np.minimum(wide, full).astype(part.dtype)
            colour = colour[..., 0] if channels == 2 else colour
            yield Part(rows, slice(None), Raster(np.ascontiguousarray(colour), mode, alpha))

    def _sixteen_bits(self, samples: NDArray[Any]) -> NDArray[Any]:
        """What has more than 8 bits, as 0 to 65535."""
        if self.bits in (8, 16):
            return samples
        full = np.uint32((1 << self.bits) - 1)
        wide: NDArray[Any] = np.minimum(samples, full).astype(np.uint32) * 65535
        return ((wide + full // 2) // full).astype(np.uint16)


def _rgb_of_bgr(pixels: NDArray[Any]) -> NDArray[Any]:
    """OpenCV's array in the usual order of colours; it is used up."""
    if pixels.ndim == 3:
        cv2 = opencv()
        code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        for rows in strips(pixels.shape):
            pixels[rows] = cv2.cvtColor(pixels[rows], code)
    return pixels


@contextlib.contextmanager
def _extra(kind: str) -> Iterator[None]:
    """Around the import of what reads a kind of file."""
    try:
        yield
    except ImportError as error:
        raise DatasetError(kinds.needs_extra(kind)) from error


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Around a decoder, whatever it raises: most of them promise nothing."""
    try:
        yield
    except (MemoryError, DatasetError):
        raise
    except Exception as error:
        raise DatasetError(DAMAGED) from error
