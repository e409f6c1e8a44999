# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are damaged, cut off, too large or something else are refused with the reason."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.file_kinds import KINDS
from support.pictures import (
    changes_of_bytes,
    damage,
    exif,
    file_of,
    picture,
)

from ffgan import images
from ffgan.errors import DatasetError
from ffgan.images.decoders.jpeg import decode_jpeg


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5, 0.95])
def test_a_file_that_is_cut_off_is_refused(
    format: str, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    data = file_of(picture(162, 162), format)
    with pytest.raises(DatasetError, match=r"cut off|damaged|empty"):
        images.decode(data[: int(kept * len(data))])
    assert capfd.readouterr() == ("", "")


def test_every_cut_of_a_jpeg_is_refused() -> None:
    data = file_of(picture(32, 32), "JPEG", exif=exif(3), progressive=True)
    for length in range(len(data) - 1):
        with pytest.raises(DatasetError):
            images.decode(data[:length])


def test_a_jpeg_with_a_hole_is_refused_without_a_word_on_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = bytearray(file_of(Image.effect_noise((162, 162), 80), "JPEG"))
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff\xd0" * 200
    with pytest.raises(DatasetError, match="damaged: Corrupt JPEG data"):
        images.decode(bytes(data))
    assert capfd.readouterr() == ("", "")
    os.write(2, b"the terminal is open")
    assert capfd.readouterr().err == "the terminal is open"


def test_of_images_decoded_at_once_the_damaged_ones_are_told_from_the_whole() -> None:
    whole = file_of(Image.effect_noise((162, 162), 80), "JPEG")
    hole = b"\xff\xd0" * 200
    damaged = whole[:5000] + hole + whole[5000 + len(hole) :]

    def accepted(data: bytes) -> bool:
        try:
            return images.decode(data).shape == (162, 162, 3)
        except DatasetError:
            return False

    files = [damaged if number % 5 == 0 else whole for number in range(400)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(accepted, files)) == [data is whole for data in files]


def test_an_end_marker_behind_a_cut_does_not_make_a_file_whole() -> None:
    whole = file_of(Image.effect_noise((162, 162), 80), "JPEG")
    for kept in range(1000, len(whole) - 10, len(whole) // 40):
        with pytest.raises(DatasetError, match="damaged: Corrupt JPEG data"):
            images.decode(whole[:kept] + b"\xff\xd9")


def test_an_error_behind_a_harmless_warning_leaves_no_pixel_to_chance() -> None:
    whole = file_of(Image.effect_noise((162, 162), 80), "JPEG")
    frame = whole.index(b"\xff\xc0")
    bad = whole[:frame] + b"\xff\xe1\0\2garbage" + whole[frame:]
    once, again = (outcome(bad) for _ in range(2))
    assert once == again


def outcome(data: bytes) -> bytes | str:
    try:
        return images.decode(data).tobytes()
    except DatasetError as error:
        return str(error)


def test_harmless_bytes_between_jpeg_segments_are_accepted(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = file_of(picture(), "JPEG")
    assert np.array_equal(images.decode(data[:-2] + b"12345" + data[-2:]), images.decode(data))
    assert images.decode(data + b"trailing bytes").shape == (24, 40, 3)
    assert capfd.readouterr() == ("", "")


def test_a_wrong_png_checksum_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(file_of(Image.effect_noise((64, 64), 80), "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(DatasetError, match="checksum"):
        images.decode(bytes(data))
    assert capfd.readouterr() == ("", "")


def test_a_bad_colour_profile_costs_neither_the_image_nor_a_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = file_of(picture(), "PNG", icc_profile=b"not a profile" * 20)
    assert np.array_equal(images.decode(data), np.asarray(picture()))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(50), "not a JPEG, PNG, WebP, BMP, TIFF, AVIF, HEIC, JPEG XL or DNG"),
        (b"<html>not found</html>", "not a JPEG"),
        (file_of(picture().convert("F"), "TIFF"), "float32"),
    ],
)
def test_other_files_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        images.decode(data)


SEEDS = [kind.data for kind in KINDS if 0 < len(kind.data) < 20_000]


@settings(max_examples=300, deadline=None)
@given(data=st.sampled_from(SEEDS), changes=changes_of_bytes)
def test_whatever_the_bytes_an_image_or_a_reason_comes_out(
    data: bytes, changes: list[tuple[int, bytes]]
) -> None:
    try:
        image = images.decode(damage(data, changes))
    except DatasetError as error:
        reason = str(error)
        image = np.zeros((1, 1, 3), np.uint8)
    else:
        reason = "none"
    assert reason.count("\n") == 0 < len(reason)
    assert image.dtype == np.uint8
    assert image.shape[2:] == (3,)


@pytest.mark.parametrize("end", [b"\0", b"\xff\xda", b"\0\xe1"])
def test_a_jpeg_of_unusual_colours_that_ends_in_its_header_is_cut_off(end: bytes) -> None:
    data = bytearray(file_of(picture(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 11] = 0x31  # sampled in a way that has no name
    length = int.from_bytes(data[frame + 2 : frame + 4], "big")
    with pytest.raises(DatasetError, match="the file is cut off"):
        decode_jpeg(bytes(data[: frame + 2 + length]) + end)  # as it stands in a TIFF


def frame_of_webp() -> bytes:
    frames = {"save_all": True, "append_images": [picture().rotate(180)]}
    data = bytearray(file_of(picture(), "WEBP", **frames))
    size = data.index(b"\x9d\x01\x2a") + 3  # behind the start code of a key frame
    data[size : size + 4] = b"\xff\x3f\xff\x3f"
    return bytes(data)


def strip_of_tiff() -> bytes:
    data = bytearray(file_of(picture(), "TIFF", compression="jpeg"))
    frame = data.rindex(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\x3f\xff\x3f\xff"
    return bytes(data)


@pytest.mark.parametrize("make", [frame_of_webp, strip_of_tiff])
def test_a_part_that_says_to_be_larger_than_the_picture_takes_no_memory(
    make: Callable[[], bytes],
) -> None:
    data = make()  # 16383 x 16383 in a file of 40 x 24
    for format in ("WEBP", "TIFF"):  # loads what decodes them
        images.decode(file_of(picture(), format))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 50_000_000
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        with pytest.raises(DatasetError, match="the file is damaged"):
            images.decode(data)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
