# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of every kind come as the pixels that Pillow makes of them."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.pictures import (
    assert_like_pillow,
    exif,
    file_of,
    picture,
    with_alpha,
)

from ffgan import images
from ffgan.errors import DatasetError
from ffgan.images import decoding
from ffgan.images.decoders.jpeg import decode_jpeg

ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_rows_that_end_within_a_word_are_cut_at_the_width(mode: str, format: str) -> None:
    for width in range(37, 41):
        assert_like_pillow(file_of(picture(width).convert(mode), format))


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(40, 24), (1, 1), (2, 1), (163, 161)])
def test_rgb_files_have_pillows_pixels(format: str, size: tuple[int, int]) -> None:
    source = picture().resize(size)
    options = {"lossless": True} if format == "WEBP" else {}
    assert_like_pillow(file_of(source, format, **options))


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_kinds_of_jpeg(options: dict[str, Any]) -> None:
    assert_like_pillow(file_of(picture(), "JPEG", **options), tolerance=3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_png_of_every_mode(mode: str) -> None:
    source = with_alpha(picture()) if mode in ("LA", "RGBA") else picture()
    data = file_of(source.convert("L" if mode == "I;16" else mode), "PNG")
    if mode == "I;16":
        grey = np.asarray(picture().convert("L")).astype(np.uint16) * 257
        data = file_of(Image.fromarray(grey), "PNG")
        assert np.array_equal(images.decode(data)[..., 0], grey // 257)
    else:
        assert_like_pillow(data)


def test_palette_png_with_a_transparent_colour_is_white_there() -> None:
    source = picture().quantize(8)
    data = file_of(source, "PNG", transparency=source.getpixel((0, 0)))
    assert images.decode(data)[0, 0].tolist() == [255, 255, 255]
    assert_like_pillow(data)


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded_to_eight(extension: str, channels: int) -> None:
    rng = np.random.default_rng(3)
    colour = rng.integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    done, buffer = cv2.imencode(extension, colour)
    assert done
    scaled = colour.astype(float) / 65535
    if channels == 4:
        scaled = scaled[..., :3] * scaled[..., 3:] + 1 - scaled[..., 3:]
    expected = np.broadcast_to(scaled[..., ::-1] * 255, (20, 30, 3))
    assert np.abs(images.decode(buffer.tobytes()) - expected).max() <= 0.51


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGBA", "YCbCr"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_of_every_mode(mode: str, compression: str) -> None:
    source = with_alpha(picture()) if mode == "RGBA" else picture().convert(mode)
    # YCbCr goes through libtiff's own fixed-point conversion.
    assert_like_pillow(
        file_of(source, "TIFF", compression=compression), 3 if mode == "YCbCr" else 1
    )


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_jpeg(mode: str) -> None:
    assert_like_pillow(file_of(picture().convert(mode), "JPEG", quality=95), tolerance=2)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_colours_sampled_in_any_way_have_opencvs_pixels(mode: str, subsampling: str) -> None:
    data = file_of(picture(163, 97).convert(mode), "JPEG", subsampling=subsampling)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(images.decode(data), pixels[..., ::-1])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_scaled_while_decoding_has_opencvs_pixels(progressive: bool) -> None:
    data = file_of(Image.effect_noise((301, 205), 80), "JPEG", progressive=progressive)
    for factor in (2, 4, 8):
        flag = getattr(cv2, f"IMREAD_REDUCED_COLOR_{factor}")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
        assert np.array_equal(decode_jpeg(data, factor).samples, pixels[..., ::-1])


def test_transparent_webp_is_laid_over_white() -> None:
    assert_like_pillow(file_of(with_alpha(picture()), "WEBP", lossless=True, exact=True))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(format: str, orientation: int) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    data = file_of(picture(), format, exif=exif(orientation), **options)
    assert_like_pillow(data)
    turned = images.decode(data).shape[:2] == (40, 24)
    assert turned == (orientation >= 5)


@pytest.mark.parametrize("broken", [b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", b"", b"nonsense"])
def test_damaged_exif_leaves_the_image_as_it_stands(broken: bytes) -> None:
    plain = file_of(picture(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 8) + b"Exif\0\0" + broken
    assert np.array_equal(images.decode(plain[:2] + segment + plain[2:]), images.decode(plain))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_taken(format: str) -> None:
    if format == "WEBP" and tuple(map(int, cv2.__version__.split(".")[:2])) < (4, 11):
        pytest.skip("OpenCV before 4.11 reads no animated WebP")
    first = picture()
    options = {"lossless": True} if format == "WEBP" else {}
    data = file_of(first, format, save_all=True, append_images=[first.rotate(180)] * 2, **options)
    assert np.array_equal(images.decode(data), np.asarray(first))


def test_a_large_jpeg_may_come_smaller_but_not_too_small() -> None:
    data = file_of(picture(1000, 700), "JPEG")
    assert images.decode(data).shape == (700, 1000, 3)
    assert images.decode(data, at_least=162).shape == (350, 500, 3)
    assert images.decode(data, at_least=40).shape == (88, 125, 3)
    small = images.resize(images.decode(data, at_least=40), 40)
    assert np.abs(small.astype(int) - images.resize(images.decode(data), 40)).max() <= 4


def test_a_jpeg_beyond_the_limit_comes_smaller_unless_that_would_take_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoding, "MAX_PIXELS", 50_000)
    data = file_of(picture(1000, 700), "JPEG")
    assert images.decode(data, reduce=True).shape == (175, 250, 3)
    assert images.decode(file_of(picture(200, 200), "JPEG"), reduce=True).shape == (200, 200, 3)
    turned = file_of(picture(1000, 700), "JPEG", exif=exif(6))
    assert images.decode(turned, reduce=True).shape == (250, 175, 3)
    expected = images.resize(np.asarray(picture(1000, 700)), (175, 250))
    assert np.abs(images.decode(data, reduce=True).astype(int) - expected).max() <= 6
    for too_large in (
        file_of(picture(1000, 700), "JPEG", progressive=True),
        file_of(picture(1000, 700), "PNG"),
        file_of(picture(2000, 1700), "JPEG"),  # more than 8 x 8 times the limit
    ):
        with pytest.raises(DatasetError, match="are more than the limit"):
            images.decode(too_large, reduce=True)
    with pytest.raises(DatasetError, match="are more than the limit"):
        images.decode(data)
