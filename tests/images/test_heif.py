# SPDX-License-Identifier: GPL-3.0-or-later
"""AVIF and HEIC: turned, cropped, tiled, transparent, deep, in any colour space, cut off."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from support import profiles
from support.heif import Item, assembled, coded, codes, grid_file, picture_file
from support.pictures import changes_of_bytes, damage, picture

from ffgan import images
from ffgan.errors import DatasetError
from ffgan.images.containers.av1 import coded_size

FORMATS = ["AVIF", "HEIC"]
LOSS = 6  # of the encoders, in levels


def small() -> np.ndarray:
    return np.asarray(picture(96, 64))


def difference(image: np.ndarray, expected: np.ndarray) -> float:
    assert image.shape == expected.shape
    return float(np.abs(image.astype(float) - expected).max())


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_has_the_pixels_of_two_other_decoders(format: str) -> None:
    data = picture_file(small(), format)
    image = images.decode(data)
    assert images.file_type(data) == format
    assert images.dimensions(data[:700]) == (96, 64)
    assert difference(image, small()) <= LOSS
    if format == "AVIF":
        import cv2

        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert difference(image, theirs) <= 1
    else:
        assert difference(image, np.array(pillow_heif.open_heif(data))) == 0


def test_a_grey_avif_with_alpha_is_read() -> None:
    grey = small()[..., 0]
    alpha = np.tile(np.linspace(0, 255, 96).round().astype(np.uint8), (64, 1))
    data = imagecodecs.avif_encode(np.dstack([grey, alpha]), level=95)
    shown = 255 - (255 - grey.astype(float)) * alpha / 255
    assert difference(images.decode(data), np.repeat(shown[..., None], 3, axis=2)) <= LOSS


TURNS = [
    [(b"irot", b"\1")],
    [(b"irot", b"\2")],
    [(b"irot", b"\3")],
    [(b"imir", b"\0")],
    [(b"imir", b"\1")],
    [(b"irot", b"\1"), (b"imir", b"\0")],
    [(b"irot", b"\3"), (b"imir", b"\1")],
]


def turned(pixels: np.ndarray, turns: list[tuple[bytes, bytes]]) -> np.ndarray:
    for kind, content in turns:
        pixels = np.rot90(pixels, content[0]) if kind == b"irot" else np.flip(pixels, content[0])
    return pixels


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("format", FORMATS)
def test_turns_and_mirrorings_are_made(format: str, turns: list[tuple[bytes, bytes]]) -> None:
    data = picture_file(small(), format, *turns)
    image = images.decode(data)
    assert difference(image, turned(small(), turns)) <= LOSS
    if format == "AVIF":
        theirs = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    else:
        theirs = pillow_heif.open_heif(data).to_pillow()
    assert difference(image, np.asarray(theirs)) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_the_orientation_of_exif_is_not_applied_a_second_time(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    if format == "AVIF":
        Image.fromarray(small()).save(buffer, "AVIF", exif=exif, quality=95)
        expected = np.rot90(small(), 3)  # Pillow writes a turn instead
    else:
        pillow_heif.from_pillow(Image.fromarray(small())).save(buffer, exif=exif.tobytes())
        expected = np.array(pillow_heif.open_heif(buffer.getvalue()))
    assert difference(images.decode(buffer.getvalue()), expected) <= 24


@pytest.mark.parametrize("format", FORMATS)
def test_a_clean_aperture_is_cut_out_and_turned(format: str) -> None:
    aperture = (b"clap", struct.pack(">IIIIiIiI", 40, 1, 30, 1, -5, 1, 7, 1))
    data = picture_file(small(), format, aperture, (b"irot", b"\1"))
    assert difference(images.decode(data), np.rot90(small()[24:54, 23:63])) <= LOSS


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_of_tiles_is_put_together_and_cut_to_its_size(format: str) -> None:
    pixels = np.asarray(picture(192, 128))
    tiles = [
        np.ascontiguousarray(pixels[top : top + 64, left : left + 64])
        for top in (0, 64)
        for left in (0, 64, 128)
    ]
    data = grid_file(tiles, 3, (180, 100), format)
    assert images.dimensions(data) == (180, 100)
    assert difference(images.decode(data), pixels[:100, :180]) <= LOSS


@pytest.mark.parametrize("format", FORMATS)
def test_ten_bits_are_rounded_and_not_cut(format: str) -> None:
    ramp = np.repeat(np.tile(np.linspace(0, 65535, 96), (64, 1))[..., None], 3, axis=2)
    deep = ramp.astype(np.uint16) >> 6 << 6
    found = images.decode(picture_file(deep, format)).astype(float)
    exact = (deep >> 6).astype(float) * 255 / 1023
    # One of 1023 is a quarter of a level; cutting would be half a level too dark on average.
    assert np.abs(found - exact).max() <= 0.8
    assert abs((found - exact).mean()) < 0.1


@pytest.mark.parametrize("premultiplied", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_transparent_pictures_are_laid_over_white(format: str, premultiplied: bool) -> None:
    pixels = np.dstack([small(), np.tile(np.linspace(0, 255, 96), (64, 1)).astype(np.uint8)])
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if format == "AVIF":
        options = {"alpha_premultiplied": premultiplied, "subsampling": "4:4:4"}
        image.save(buffer, "AVIF", quality=95, **options)
    elif premultiplied:
        weighted = (pixels[..., :3] * (pixels[..., 3:] / 255)).round().astype(np.uint8)
        stored = np.dstack([weighted, pixels[..., 3]])
        pillow_heif.encode("RGBa", (96, 64), stored.tobytes(), buffer, quality=-1, chroma=444)
    else:
        pillow_heif.from_pillow(image).save(buffer, quality=95, chroma=444)
    opacity = pixels[..., 3:] / 255
    expected = pixels[..., :3] * opacity + 255 * (1 - opacity)
    assert difference(images.decode(buffer.getvalue()), expected) <= LOSS + 2


@pytest.mark.parametrize("format", FORMATS)
def test_grey_is_read(format: str) -> None:
    buffer = io.BytesIO()
    grey = Image.fromarray(small()).convert("L")
    if format == "AVIF":
        grey.save(buffer, "AVIF", quality=95)
    else:
        pillow_heif.from_pillow(grey).save(buffer, quality=95)
    expected = np.repeat(np.asarray(grey)[..., None], 3, axis=2)
    assert difference(images.decode(buffer.getvalue()), expected) <= LOSS


def test_of_an_animation_and_of_several_pictures_the_first_is_taken() -> None:
    first = Image.fromarray(small())
    others = [first.rotate(180)] * 2
    buffer = io.BytesIO()
    first.save(buffer, "AVIF", save_all=True, append_images=others, quality=95)
    assert difference(images.decode(buffer.getvalue()), small()) <= 24
    buffer = io.BytesIO()
    burst = pillow_heif.from_pillow(others[0])
    burst.add_from_pillow(first)
    burst.save(buffer, quality=95, chroma=444, primary_index=1)
    assert difference(images.decode(buffer.getvalue()), small()) <= LOSS


# --- Colours ---


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("format", FORMATS)
def test_a_profile_and_codes_give_the_same_colours(format: str, depth: type) -> None:
    pixels = (60 + small() // 3).astype(depth) * (1 if depth == np.uint8 else 257)
    profile = profiles.rgb_profile(profiles.P3, profiles.srgb_light)
    by_profile = images.decode_picture(picture_file(pixels, format, (b"colr", b"prof" + profile)))
    by_codes = images.decode_picture(picture_file(pixels, format, codes(12, 13)))
    stored = images.decode(picture_file(pixels, format), colour="ignore") / 255
    expected = profiles.in_srgb(stored, profiles.P3, profiles.srgb_light)
    for found in (by_profile, by_codes):
        assert found.colours == "converted"
        # What was rounded to 8 bits before is further away by what the conversion makes of that.
        assert difference(found.image, expected) <= (2 if depth == np.uint8 else 4)
    # The profile counts where a file has both; the codes then tell the matrix of the encoder only.
    both = picture_file(pixels, format, (b"colr", b"prof" + profile), codes(9, 16))
    assert difference(images.decode(both), by_profile.image) <= 2


@pytest.mark.parametrize("format", FORMATS)
def test_srgb_by_codes_is_left_as_it_is(format: str) -> None:
    for one in (codes(1, 13), codes(1, 1), codes(2, 2)):
        found = images.decode_picture(picture_file(small(), format, one))
        assert found.colours == "srgb"
        assert difference(found.image, small()) <= LOSS


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("format", FORMATS)
def test_high_dynamic_range_becomes_a_usual_picture(format: str, transfer: int) -> None:
    white = {16: 0.58, 18: 0.75}[transfer]
    deep = np.full((64, 96, 3), round(white * 65535), np.uint16)
    found = images.decode_picture(picture_file(deep, format, codes(9, transfer)))
    assert found.colours == "converted"
    assert 225 <= found.image.mean() <= 240
    assert np.ptp(found.image) <= 4


# --- Damage ---


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "make", [picture_file, lambda p, f: grid_file([p[:, :64]] * 2, 2, (128, 64), f)]
)
def test_a_file_that_is_cut_off_anywhere_is_refused(format: str, make) -> None:
    data = make(np.ascontiguousarray(small()), format)
    for kept in [*range(0, 900, 37), *np.linspace(0.3, 0.999, 12)]:
        cut = data[: kept if isinstance(kept, int) else int(kept * len(data))]
        if len(cut) < len(data):
            with pytest.raises(DatasetError, match=r"cut off|damaged|empty|not a JPEG"):
                images.decode(cut)
    with pytest.raises(DatasetError):
        images.decode(data[:-1])


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_cut_off_behind_the_picture_costs_nothing(format: str) -> None:
    data = picture_file(small(), format)
    trailer = struct.pack(">I4s", 5000, b"mpvd") + bytes(1000)
    assert np.array_equal(images.decode(data + trailer), images.decode(data))


@pytest.mark.parametrize("format", FORMATS)
def test_a_decompression_bomb_is_refused_by_its_header(format: str) -> None:
    item = coded(small(), format)
    size = bytes(4) + struct.pack(">II", 50_000, 50_000)
    item.properties = [(k, size if k == b"ispe" else c) for k, c in item.properties]
    with pytest.raises(DatasetError, match="50000x50000 pixels are more than the limit"):
        images.decode(assembled([item], format.lower().encode()))


@pytest.mark.parametrize("format", FORMATS)
def test_a_grid_of_more_pixels_than_it_shows_is_refused(format: str) -> None:
    tile = coded(np.asarray(picture(320, 320)), format)
    layout = struct.pack(">BBBBHH", 0, 0, 3, 3, 320, 320)
    properties = [property for property in tile.properties if property[0] != b"av1C"]
    grid = Item(b"grid", layout, properties, made_of=list(range(2, 18)))
    with pytest.raises(DatasetError, match="damaged"):
        images.decode(assembled([grid, *[tile] * 16], format.lower().encode()))


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_of_more_pixels_than_the_file_says_is_refused(format: str) -> None:
    item = coded(np.full((1200, 1600, 3), 90, np.uint8), format)
    size = bytes(4) + struct.pack(">II", 96, 64)
    item.properties = [(k, size if k == b"ispe" else c) for k, c in item.properties]
    with pytest.raises(DatasetError, match="damaged"):
        images.decode(assembled([item], format.lower().encode()))


@pytest.mark.parametrize("shape", [(64, 96), (301, 517), (1080, 1920)])
def test_the_size_of_an_av1_stream_is_read(shape: tuple[int, int]) -> None:
    for depth in (np.uint8, np.uint16):
        item = coded(np.full((*shape, 3), 90, depth), "AVIF")
        assert coded_size(item.data) == shape[::-1]


SEEDS = [picture_file(small(), "AVIF"), picture_file(small(), "HEIC", (b"irot", b"\1"))]


@settings(max_examples=150, deadline=None)
@given(data=st.sampled_from(SEEDS), changes=changes_of_bytes)
def test_whatever_the_bytes_an_image_or_a_reason_comes_out(
    data: bytes, changes: list[tuple[int, bytes]]
) -> None:
    try:
        image = images.decode(damage(data, changes))
    except DatasetError as error:
        assert len(str(error)) > 0
        assert "\n" not in str(error)
    else:
        assert image.shape[2:] == (3,)


@pytest.mark.parametrize("format", FORMATS)
def test_many_threads_give_the_pixels_of_one(format: str) -> None:
    data = picture_file(np.asarray(picture(320, 240)), format, codes(12, 13))
    alone = images.decode(data).tobytes()
    with ThreadPoolExecutor(6) as pool:
        assert {made.tobytes() for made in pool.map(images.decode, [data] * 12)} == {alone}


def test_a_file_of_another_coding_is_named() -> None:
    data = assembled([Item(b"jpeg", b"\xff\xd8\xff\xd9")], b"jpeg")
    with pytest.raises(DatasetError, match="not a JPEG"):
        images.decode(data)


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [("pillow_heif", "a.heic", "HEIC"), ("pillow_jxl", "a.jxl", "JPEG XL")],
)
def test_without_the_extra_the_command_that_installs_it_is_named(
    module: str, name: str, kind: str, tmp_path: Path
) -> None:
    if kind == "HEIC":
        data = SEEDS[1]
    else:
        import pillow_jxl  # noqa: F401 - registers itself

        buffer = io.BytesIO()
        Image.fromarray(small()).save(buffer, "JXL")
        data = buffer.getvalue()
    (tmp_path / name).write_bytes(data)
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from ffgan import images, errors\n"
        "try:\n    images.decode(open(sys.argv[1], 'rb').read())\n"
        "except errors.DatasetError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / name)], capture_output=True, text=True
    )
    assert done.stdout == f"is a {kind} file: pip install 'ffgan[photos]' reads those\n"
    assert done.stderr == ""
