# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG XL: its pixels, its colours, its size before anything is decoded, cut off."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pillow_jxl
import pytest
from PIL import Image
from support.pictures import file_of, picture, with_alpha

from ffgan import images
from ffgan.errors import DatasetError

assert pillow_jxl.Encoder  # importing it taught Pillow the format


def jpeg_xl(image: Image.Image, **options: Any) -> bytes:
    return file_of(image, "JXL", **{"lossless": True, **options})


@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize(
    "size",
    [(40, 24), (1, 1), (163, 97), (64, 64), (160, 128), (96, 64), (128, 64), (160, 90), (700, 520)],
)
def test_lossless_pixels_and_sizes_are_those_of_the_source(
    size: tuple[int, int], boxes: bool
) -> None:
    source = picture().resize(size)
    data = jpeg_xl(source, use_container=boxes)
    assert images.file_type(data) == "JPEG XL"
    assert images.dimensions(data[:64]) == size
    found = images.decode_picture(data)
    assert found.colours == "srgb"
    assert np.array_equal(found.image, np.asarray(source))


def test_grey_and_transparent_pictures() -> None:
    grey = picture().convert("L")
    assert np.array_equal(images.decode(jpeg_xl(grey))[..., 1], np.asarray(grey))
    image = images.decode(jpeg_xl(with_alpha(picture())))
    pixels = np.asarray(with_alpha(picture())).astype(float)
    expected = pixels[..., :3] * pixels[..., 3:] / 255 + 255 - pixels[..., 3:]
    assert np.abs(image - expected).max() <= 1


def test_sixteen_bits_are_rounded() -> None:
    grey = np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)
    # The encoder calls 16 bits linear light.
    found = images.decode(jpeg_xl(Image.fromarray(grey)), colour="ignore")
    assert np.abs(found[..., 0] - grey / 257).max() <= 0.51


def test_a_jpeg_that_was_packed_comes_as_that_jpeg() -> None:
    jpeg = file_of(picture(320, 240), "JPEG", quality=90)
    encoder = pillow_jxl.Encoder(mode="RGB", lossless=True)
    data = encoder(jpeg, 320, 240, jpeg_encode=True)
    assert np.array_equal(images.decode(data), images.decode(jpeg))
    assert images.decode(data, at_least=50).shape == (120, 160, 3)


@pytest.mark.parametrize("lossless", [False, True])
def test_an_animation_is_refused_since_its_decoder_shows_the_last_frame(lossless: bool) -> None:
    first = np.asarray(picture(96, 64))
    film = imagecodecs.jpegxl_encode(np.stack([first, 255 - first]), lossless=lossless)
    with pytest.raises(DatasetError, match="an animated JPEG XL"):
        images.decode(film)
    still = imagecodecs.jpegxl_encode(first, lossless=lossless, level=90)
    assert np.abs(images.decode(still).astype(int) - first).mean() < 6


@pytest.mark.parametrize("boxes", [False, True])
def test_a_file_that_is_cut_off_or_damaged_is_refused(
    boxes: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    data = jpeg_xl(Image.effect_noise((162, 162), 80).convert("RGB"), use_container=boxes)
    for length in [*range(2, 60, 7), *np.linspace(60, len(data) - 1, 20).astype(int)]:
        with pytest.raises(DatasetError, match=r"cut off|damaged|not a JPEG"):
            images.decode(data[:length])
    assert capfd.readouterr() == ("", "")


def test_a_bomb_is_refused_by_its_header() -> None:
    # Not small; height 50,000 by 18 bits; ratio 1:1.
    bits = 0 | (2 << 1) | ((50_000 - 1) << 3) | (1 << 21)
    with pytest.raises(DatasetError, match="50000x50000 pixels are more than the limit"):
        images.decode(b"\xff\x0a" + bits.to_bytes(20, "little"))


@pytest.mark.parametrize("length", [2**63 - 1, 2**64 - 1])
def test_a_box_that_ends_beyond_all_addresses_is_cut_off(length: int) -> None:
    signature = b"\0\0\0\x0cJXL \r\n\x87\n"
    box = b"\0\0\0\1free" + length.to_bytes(8, "big")
    with pytest.raises(DatasetError, match="the file is cut off"):
        images.dimensions(signature + box + bytes(20))
