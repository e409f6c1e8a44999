# SPDX-License-Identifier: GPL-3.0-or-later
"""DNG: its largest preview, as the photograph is turned; never a thumbnail or the raw samples."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from support import profiles
from support.dng import dng
from support.pictures import file_of, picture

from ffgan import images
from ffgan.errors import DatasetError


def jpeg(width: int, height: int, **options: object) -> bytes:
    return file_of(picture(width, height), "JPEG", quality=95, **options)


def test_the_largest_preview_is_taken_and_turned() -> None:
    small, large = jpeg(320, 240), jpeg(1024, 768)
    data = dng(small, large, orientation=6)
    assert images.file_type(data) == "DNG"
    assert images.dimensions(data) == (1024, 768)
    upright = np.rot90(images.decode(large), 3)
    assert np.array_equal(images.decode(data), upright)
    assert images.decode(data, at_least=100).shape == (512, 384, 3)


def test_the_colours_of_a_preview_are_told_by_its_tag() -> None:
    large = jpeg(1024, 768)
    found = images.decode_picture(dng(large, more={50970: 3}))
    stored = images.decode(large)
    expected = profiles.in_srgb(stored / 255, profiles.ADOBE, profiles.gamma(2.19921875))
    assert found.colours == "converted"
    assert np.abs(found.image - expected).max() <= 1
    assert images.decode_picture(dng(large, more={50970: 2})).colours == "srgb"


@pytest.mark.parametrize("previews", [(), (jpeg(256, 192),)])
def test_without_a_preview_of_use_the_way_out_is_said(previews: tuple[bytes, ...]) -> None:
    with pytest.raises(DatasetError, match="develop it, and give the JPEG or TIFF"):
        images.decode(dng(*previews))


def test_a_small_raw_photograph_may_have_a_small_preview() -> None:
    assert images.decode(dng(jpeg(256, 192), raw=(256, 192))).shape == (192, 256, 3)


def test_a_dng_that_is_cut_off_is_refused() -> None:
    data = dng(jpeg(1024, 768))
    for kept in np.linspace(20, len(data) - 2, 30).astype(int):
        with pytest.raises(DatasetError):
            images.decode(data[:kept])
    hole = bytearray(data)
    start = data.index(b"\xff\xd8\xff") + 20_000
    hole[start : start + 300] = b"\xff\xd0" * 150
    with pytest.raises(DatasetError, match="damaged"):
        images.decode(bytes(hole))


def test_directories_that_lead_in_circles_end() -> None:
    data = bytearray(dng(jpeg(1024, 768)))
    (first,) = struct.unpack_from("<I", data, 4)
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    assert images.decode(bytes(data)).shape == (768, 1024, 3)


def test_a_usual_tiff_stays_one() -> None:
    assert images.file_type(file_of(Image.new("RGB", (9, 9)), "TIFF")) == "TIFF"
