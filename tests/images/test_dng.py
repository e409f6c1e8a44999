# SPDX-License-Identifier: GPL-3.0-or-later
"""DNG: its largest preview, as the photograph is turned; never a thumbnail or the raw samples."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from support import profiles
from support.pictures import file_of, picture

from ffgan import images
from ffgan.errors import DatasetError

Tags = dict[int, int | bytes]


def directory(tags: Tags, at: int, following: int) -> bytes:
    """A directory of TIFF at an offset, and what its longer values are."""
    entries, more = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        if isinstance(value, int):
            entries += struct.pack("<HHII", tag, 4, 1, value)
        elif len(value) == 4:
            entries += struct.pack("<HHI", tag, 1, 4) + value
        else:
            entries += struct.pack("<HHII", tag, 4, len(value) // 4, start + len(more))
            more += value
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + more


def dng(
    *previews: bytes,
    orientation: int = 1,
    raw: tuple[int, int] = (4000, 3000),
    more: Tags | None = None,
) -> bytes:
    """A thumbnail in the first directory, then the raw samples, then previews in JPEG."""
    thumbnail, mosaic = bytes(96 * 64 * 3), bytes(1000)
    parts = [thumbnail, mosaic, *previews]
    starts = [8 + sum(map(len, parts[:index])) for index in range(len(parts))]
    inner: list[Tags] = [
        {254: 0, 256: raw[0], 257: raw[1], 259: 7, 262: 32803, 273: starts[1], 279: len(mosaic)}
    ]
    for preview, start in zip(previews, starts[2:], strict=True):
        width, height = images.dimensions(preview)
        tags: Tags = {254: 1, 256: width, 257: height, 259: 7, 262: 6, 273: start}
        inner.append(tags | {279: len(preview)} | (more or {}))
    body = b"".join(parts)
    places = []
    for tags in inner:
        places.append(8 + len(body))
        body += directory(tags, 8 + len(body), 0)
    first: Tags = {
        254: 1, 256: 96, 257: 64, 258: 8, 259: 1, 262: 2, 273: starts[0], 277: 3, 278: 64,
        279: len(thumbnail), 274: orientation, 50706: b"\1\4\0\0",
        330: b"".join(struct.pack("<I", place) for place in places) if len(places) > 1
        else places[0],
    }  # fmt: skip
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory(first, 8 + len(body), 0)
    )


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
