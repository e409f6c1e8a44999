# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours come as sRGB, whatever space a file has them in."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from support import profiles
from support.pictures import exif, file_of, picture, with_alpha
from support.profiles import (
    ADOBE,
    BT2020,
    D50,
    D65,
    P3,
    PROPHOTO,
    gamma,
    in_srgb,
    srgb_light,
    with_chunk,
    with_profile,
)

from ffgan import images

SPACES = {
    "Display P3": (P3, srgb_light, D65),
    "Adobe RGB": (ADOBE, gamma(2.19921875), D65),
    "ProPhoto": (PROPHOTO, gamma(1.8), D50),
    "BT.2020 of gamma 2.4": (BT2020, gamma(2.4), D65),
}


def soft(width: int = 163, height: int = 97) -> np.ndarray:
    """(h, w, 3) uint8 in the range of skin, hair and clothes: what any of the spaces can show."""
    y, x = np.mgrid[0:height, 0:width] / (height, width)[0]
    red, green, blue = 90 + 90 * x / x.max(), 80 + 80 * y, 120 - 60 * x * y / (x * y).max()
    return np.stack([red, green, blue], axis=2).round().astype(np.uint8)


def file_with(profile: bytes, format: str, pixels: np.ndarray) -> bytes:
    options = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
    }
    image = Image.fromarray(pixels)
    return file_of(image, format, icc_profile=profile, **options.get(format, {}))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_profile_is_applied(format: str, space: str) -> None:
    primaries, curve, white = SPACES[space]
    profile = profiles.rgb_profile(primaries, curve, white)
    pixels = soft()
    data = file_with(profile, format, pixels)
    stored = images.decode(data, colour="ignore")
    assert np.abs(stored.astype(int) - pixels).max() <= (3 if format == "JPEG" else 0)
    found = images.decode_picture(data)
    expected = in_srgb(stored / 255, primaries, curve, white)
    assert found.colours == "converted"
    assert np.abs(found.image - expected).max() <= 2
    assert np.abs(pixels - expected).mean() > 3


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_sixteen_bits_are_converted_before_they_are_rounded(space: str, extension: str) -> None:
    primaries, curve, white = SPACES[space]
    profile = profiles.rgb_profile(primaries, curve, white)
    dark = (soft().astype(np.uint16) * 257) // 6
    data = with_profile(cv2.imencode(extension, dark[..., ::-1])[1].tobytes(), profile)
    found = images.decode_picture(data)
    assert found.colours == "converted"
    assert np.abs(found.image - in_srgb(dark / 65535, primaries, curve, white)).max() <= 0.6


SRGB_PROFILES = {
    "LittleCMS's": lambda: ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "a table of 1024 values": lambda: profiles.rgb_profile(profiles.SRGB, srgb_light),
}


@pytest.mark.parametrize("profile", SRGB_PROFILES)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_srgb_is_known_by_its_content_and_left_as_it_is(format: str, profile: str) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (97, 163, 3), dtype=np.uint8)
    data = file_with(SRGB_PROFILES[profile](), format, noise)
    found = images.decode_picture(data)
    assert found.colours == "srgb"
    assert np.array_equal(found.image, images.decode(data, colour="ignore"))
    if format != "JPEG":
        assert np.array_equal(found.image, noise)


def test_a_profile_that_is_called_srgb_and_is_not_is_applied() -> None:
    profile = profiles.rgb_profile(ADOBE, gamma(2.19921875)).replace(b"test\0", b"sRGB\0")
    found = images.decode_picture(file_with(profile, "PNG", soft()))
    assert found.colours == "converted"


def test_ignoring_colours_leaves_the_numbers() -> None:
    pixels = soft()
    data = file_with(profiles.rgb_profile(P3, srgb_light), "PNG", pixels)
    assert np.array_equal(images.decode(data, colour="ignore"), pixels)


def test_a_profile_in_several_segments_of_a_jpeg_is_put_together() -> None:
    pixels = soft()
    filler = ((b"priv", np.random.default_rng(0).bytes(150_000)),)
    data = file_with(profiles.rgb_profile(P3, srgb_light, more=filler), "JPEG", pixels)
    assert data.count(b"ICC_PROFILE\0") == 3
    expected = in_srgb(images.decode(data, colour="ignore") / 255, P3, srgb_light)
    assert np.abs(images.decode(data) - expected).max() <= 2
    without_one = data.replace(b"ICC_PROFILE\0\2\3", b"ICC_PROFANE\0\2\3")
    assert images.decode_picture(without_one).colours == "unusable"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_a_grey_profile_is_applied_and_grey_stays_grey(format: str) -> None:
    grey = soft()[..., 0]
    data = file_with(profiles.grey_profile(gamma(1.8)), format, grey)
    found = images.decode_picture(data)
    expected = 255 * profiles.srgb_samples((grey / 255) ** 1.8)
    assert found.colours == "converted"
    assert np.ptp(found.image, axis=2).max() == 0
    assert np.abs(found.image[..., 0] - expected).max() <= 2


def test_a_deep_grey_profile_is_applied() -> None:
    grey = (soft()[..., 0].astype(np.uint16) * 257) // 5
    data = with_profile(cv2.imencode(".png", grey)[1].tobytes(), profiles.grey_profile(gamma(1.0)))
    expected = 255 * profiles.srgb_samples(grey / 65535)
    assert np.abs(images.decode(data)[..., 1] - expected).max() <= 0.6


INKS = {
    (0, 0, 0, 0): (100, 0, 0),
    (1, 0, 0, 0): (55, -37, -50),
    (0, 1, 0, 0): (48, 74, -3),
    (0, 0, 1, 0): (89, -5, 93),
}


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("at_least", [None, 16])
def test_inks_are_converted_by_their_profile(subsampling: int, at_least: int | None) -> None:
    profile = profiles.ink_profile(lambda *inks: INKS.get(inks, (0.0, 0.0, 0.0)))
    for inks, lab in INKS.items():
        patch = np.full((64, 64, 4), np.array(inks) * 255, np.uint8)
        data = file_of(
            Image.frombytes("CMYK", (64, 64), patch.tobytes()),
            "JPEG",
            quality=95,
            subsampling=subsampling,
            icc_profile=profile,
        )
        found = images.decode_picture(data, at_least=at_least)
        assert found.colours == "converted"
        assert found.image.shape[0] == (64 if at_least is None else 32)
        assert np.abs(found.image[5, 5] - lab_in_srgb(lab)).max() <= 3
    assert images.decode(data, colour="ignore")[5, 5, 2] <= 2


def lab_in_srgb(lab: tuple[float, float, float]) -> np.ndarray:
    y = (lab[0] + 16) / 116
    f = np.array([y + lab[1] / 500, y, y - lab[2] / 200])
    xyz = profiles.D50_XYZ * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return 255 * profiles.srgb_samples(np.linalg.inv(profiles.matrix(profiles.SRGB, D65)) @ xyz)


def test_transparent_pixels_are_converted_before_they_are_laid_over_white() -> None:
    source = with_alpha(picture())
    data = file_of(source, "PNG", icc_profile=profiles.rgb_profile(P3, srgb_light))
    stored = np.asarray(source) / 255
    colour = in_srgb(stored[..., :3], P3, srgb_light)
    expected = colour * stored[..., 3:] + 255 * (1 - stored[..., 3:])
    assert np.abs(images.decode(data) - expected).max() <= 2


def test_a_turned_photograph_that_is_made_smaller_is_converted() -> None:
    profile = profiles.rgb_profile(P3, srgb_light)
    photograph = Image.fromarray(soft(800, 600))
    data = file_of(photograph, "JPEG", quality=95, icc_profile=profile, exif=exif(6))
    found = images.decode(data, at_least=100)
    assert found.shape == (400, 300, 3)
    stored = images.decode(data, at_least=100, colour="ignore")
    assert np.abs(found - in_srgb(stored / 255, P3, srgb_light)).max() <= 2


# --- What does not fit, or cannot be read ---


@pytest.mark.parametrize(
    "profile",
    [
        b"not a profile" * 20,
        b"",
        profiles.rgb_profile(P3, srgb_light)[:200],
        profiles.grey_profile(gamma(1.8)),
        profiles.ink_profile(lambda c, m, y, k: (100 - 25 * (c + m + y + k), 0, 0)),
        bytes(128) + b"\xff" * 4000,
    ],
)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_profile_that_cannot_be_used_costs_neither_the_image_nor_a_line(
    profile: bytes, depth: type, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = soft().astype(depth) * (1 if depth == np.uint8 else 257)
    data = with_profile(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes(), profile)
    found = images.decode_picture(data)
    assert np.array_equal(found.image, soft())
    assert found.colours == "unusable"
    assert capfd.readouterr() == ("", "")


def test_a_profile_of_colours_in_a_grey_file_is_not_applied() -> None:
    grey = soft()[..., 0]
    found = images.decode_picture(file_with(profiles.rgb_profile(P3, srgb_light), "PNG", grey))
    assert found.colours == "unusable"
    assert np.array_equal(found.image[..., 1], grey)


def test_the_same_bytes_come_from_one_thread_and_from_eight() -> None:
    data = file_with(profiles.rgb_profile(ADOBE, gamma(2.2)), "PNG", soft(400, 300))
    alone = images.decode(data).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert {made.tobytes() for made in pool.map(images.decode, [data] * 24)} == {alone}


# --- PNG's own chunks ---

CHUNKS = {
    "p3": (b"cICP", bytes([12, 13, 0, 1])),
    "srgb": (b"sRGB", b"\0"),
    "gamma": (b"gAMA", struct.pack(">I", 55556)),  # 1 / 1.8
    "adobe": (
        b"cHRM",
        struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000),
    ),
    "usual": (b"gAMA", struct.pack(">I", 45455)),
}


@pytest.mark.parametrize(
    ("chunks", "primaries", "curve"),
    [
        (["p3"], P3, srgb_light),
        (["gamma", "adobe", "srgb", "p3"], P3, srgb_light),
        (["gamma", "adobe", "srgb"], None, None),
        (["srgb"], None, None),
        (["gamma"], profiles.SRGB, gamma(1.8)),
        (["adobe"], ADOBE, srgb_light),
        (["gamma", "adobe"], ADOBE, gamma(1.8)),
        (["usual"], None, None),
    ],
)
def test_the_first_in_rank_of_a_pngs_chunks_counts(
    chunks: list[str], primaries: tuple, curve: profiles.Curve
) -> None:
    pixels = soft()
    data = file_of(Image.fromarray(pixels), "PNG")
    for name in chunks:
        data = with_chunk(data, *CHUNKS[name])
    found = images.decode_picture(data)
    if primaries is None:
        assert found.colours == "srgb"
        assert np.array_equal(found.image, pixels)
    else:
        assert found.colours == "converted"
        assert np.abs(found.image - in_srgb(pixels / 255, primaries, curve)).max() <= 2


def test_a_profile_comes_before_gamma_and_after_codes() -> None:
    pixels = soft()
    data = file_of(
        Image.fromarray(pixels), "PNG", icc_profile=profiles.rgb_profile(ADOBE, gamma(2.2))
    )
    for name in ("gamma", "srgb"):
        expected = in_srgb(pixels / 255, ADOBE, gamma(2.2))
        assert np.abs(images.decode(with_chunk(data, *CHUNKS[name])) - expected).max() <= 2
    expected = in_srgb(pixels / 255, P3, srgb_light)
    assert np.abs(images.decode(with_chunk(data, *CHUNKS["p3"])) - expected).max() <= 2


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"cICP", bytes([99, 13, 0, 1])),
        (b"cICP", bytes([12, 99, 0, 1])),
        (b"cICP", bytes([12, 13, 1, 1])),
        (b"cICP", b"\1"),
        (b"gAMA", bytes(4)),
        (b"cHRM", bytes(32)),
        (b"iCCP", b"name without its end"),
    ],
)
def test_chunks_without_meaning_leave_the_numbers(kind: bytes, content: bytes) -> None:
    data = with_chunk(file_of(Image.fromarray(soft()), "PNG"), kind, content)
    found = images.decode_picture(data)
    assert found.colours == "unusable"
    assert np.array_equal(found.image, soft())


# --- High dynamic range ---


@pytest.mark.parametrize(
    ("transfer", "white"),
    [(16, 0.5807), (18, 0.75)],  # 203 cd/m2 in PQ and HLG
)
def test_high_dynamic_range_is_mapped_below_white(transfer: int, white: float) -> None:
    samples = np.linspace(0, 65535, 1024).astype(np.uint16)
    ramp = np.repeat(np.tile(samples, (2, 1))[..., None], 3, axis=2)
    data = with_chunk(cv2.imencode(".png", ramp)[1].tobytes(), b"cICP", bytes([9, transfer, 0, 1]))
    found = images.decode_picture(data)
    assert found.colours == "converted"
    levels = found.image[0].astype(int)
    assert np.ptp(levels, axis=1).max() <= 1  # grey stays grey
    assert (np.diff(levels[:, 0]) >= 0).all()
    assert levels[0, 0] == 0
    assert levels[-1, 0] >= 254
    assert 220 <= levels[round(white * 1023), 0] <= 240


def test_a_profile_of_pq_is_taken_by_its_codes() -> None:
    codes = ((b"cicp", b"cicp\0\0\0\0\x09\x10\0\1"),)
    profile = profiles.rgb_profile(BT2020, gamma(2.2), more=codes)
    pixels = soft()
    by_profile = images.decode(file_with(profile, "PNG", pixels))
    by_codes = with_chunk(file_of(Image.fromarray(pixels), "PNG"), b"cICP", bytes([9, 16, 0, 1]))
    assert np.array_equal(by_profile, images.decode(by_codes))


def test_photographs_of_the_same_scene_in_three_spaces_look_alike() -> None:
    pixels = soft(300, 200)
    srgb = ImageCms.createProfile("sRGB")
    seen = []
    for name in ("Display P3", "Adobe RGB", "ProPhoto"):
        profile = profiles.rgb_profile(*SPACES[name])
        other = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        stored = ImageCms.profileToProfile(Image.fromarray(pixels), srgb, other)
        seen.append(images.decode(file_with(profile, "PNG", np.asarray(stored))).astype(int))
    for image in seen:
        assert np.abs(image - pixels).max() <= 3
