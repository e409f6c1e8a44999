# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from ffgan import images
from ffgan.errors import DatasetError, Error, UsageError

ORIENTATIONS = range(1, 9)
PNG, JPEG, WEBP = "png", "jpg", "webp"


def picture(width: int = 40, height: int = 24) -> Image.Image:
    """Smooth, coloured, and different in each corner."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x // (width - 1), 255 * y // (height - 1)
    return Image.fromarray(np.stack([red, green, 255 - red], axis=2).astype(np.uint8))


def file_of(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def pillow(data: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def assert_like_pillow(data: bytes, tolerance: int = 1) -> None:
    ours, theirs = images.decode(data), pillow(data)
    assert ours.dtype == np.uint8
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= tolerance


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    ramp = np.linspace(0, 255, image.width).astype(np.uint8)
    image.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    return image


# --- Decoding ---


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
    monkeypatch.setattr(images, "MAX_PIXELS", 50_000)
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


def test_opencv_is_loaded_at_the_first_use() -> None:
    program = "import sys, ffgan.images, ffgan.dataset; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_a_missing_opencv_is_one_line_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    images.opencv.cache_clear()
    with pytest.raises(Error, match="pip install opencv-python-headless"):
        images.resize(np.zeros((4, 4, 3), np.uint8), 8)


# --- Files that are refused ---


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
    if not sys.platform.startswith("linux"):
        pytest.skip("libjpeg's messages are read on Linux with glibc only")
    data = bytearray(file_of(Image.effect_noise((162, 162), 80), "JPEG"))
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff\xd0" * 200
    with pytest.raises(DatasetError, match="damaged: Corrupt JPEG data"):
        images.decode(bytes(data))
    assert capfd.readouterr() == ("", "")
    os.write(2, b"the terminal is open")
    assert capfd.readouterr().err == "the terminal is open"


def test_of_images_decoded_at_once_the_damaged_ones_are_told_from_the_whole() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("libjpeg's messages are read on Linux with glibc only")
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


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + body + struct.pack(">I", zlib.crc32(body))


def big_headers() -> dict[str, bytes]:
    jpeg = bytearray(file_of(picture(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65000, 65000)
    bmp = bytearray(file_of(picture(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, -100_000)
    webp = bytearray(file_of(with_alpha(picture()), "WEBP"))
    webp[24:30] = b"\xff\x3f\0\xff\x3f\0"
    return {
        "JPEG": bytes(jpeg),
        "PNG": png_header(50_000, 50_000),
        "BMP": bytes(bmp),
        "WebP": bytes(webp),
        "TIFF": file_of(picture(), "TIFF").replace(
            struct.pack("<HHII", 256, 4, 1, 40), struct.pack("<HHII", 256, 4, 1, 1 << 30)
        ),
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WebP", "TIFF"])
def test_a_decompression_bomb_is_refused_by_its_header(kind: str) -> None:
    with pytest.raises(DatasetError, match=r"\d+x\d+ pixels are more than the limit"):
        images.decode(big_headers()[kind])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(50), "not a JPEG, PNG, WebP, BMP or TIFF"),
        (b"<html>not found</html>", "not a JPEG"),
        (file_of(picture().convert("F"), "TIFF"), "float32"),
    ],
)
def test_other_files_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        images.decode(data)


def damage(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    damaged = bytearray(data)
    for at, change in changes:
        place = at % len(data)
        damaged[place : place + len(change)] = change
    return bytes(damaged)


changes_of_bytes = st.lists(
    st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=4
)

SEEDS = [
    file_of(picture(), "JPEG", exif=exif(6)),
    file_of(picture(), "PNG", exif=exif(6)),
    file_of(picture(), "WEBP", exif=exif(6)),
    file_of(picture(), "BMP"),
    file_of(picture(), "TIFF", compression="tiff_lzw"),
]


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


def test_dimensions_need_only_the_header() -> None:
    for format in ("JPEG", "PNG", "WEBP", "BMP"):
        data = file_of(picture(300, 200).resize((300, 200)), format)
        assert images.dimensions(data[:700]) == (300, 200)
    assert images.dimensions(file_of(picture(300, 200), "TIFF")) == (300, 200)
    assert images.dimensions(file_of(picture(), "WEBP", lossless=True)) == (40, 24)
    assert images.dimensions(file_of(with_alpha(picture()), "WEBP")) == (40, 24)


# --- Resizing and grids ---


def test_shrinking_averages_areas() -> None:
    image = np.asarray(picture(80, 48))
    expected = image.reshape(24, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(images.resize(image, (24, 40)) - expected).max() <= 0.5


def test_enlarging_is_smooth_and_keeps_flat_areas_flat() -> None:
    flat = np.full((10, 10, 3), 77, np.uint8)
    assert (images.resize(flat, 31) == 77).all()
    ramp = np.repeat(np.linspace(0, 255, 16).astype(np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    large = images.resize(ramp, 128).astype(int)
    assert np.abs(np.diff(large, axis=1)).max() <= 4


def test_one_side_shrinks_while_the_other_grows() -> None:
    image = np.asarray(picture(80, 20))
    half = image.reshape(20, 40, 2, 3).mean(axis=2).round().astype(np.uint8)
    assert np.abs(images.resize(image, 40).astype(int) - images.resize(half, 40)).max() <= 2


def test_the_right_size_is_not_touched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (162, 162, 3), np.uint8)
    assert np.array_equal(images.resize(image, 162), image)


@given(count=st.integers(1, 30), columns=st.one_of(st.none(), st.integers(1, 40)))
def test_grid_shows_every_image_in_order(count: int, columns: int | None) -> None:
    numbered = np.broadcast_to(
        np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None], (count, 2, 3, 3)
    )
    sheet = images.grid(numbered, columns)
    shown = sheet[::2, ::3, 0].ravel()
    assert shown[:count].tolist() == list(range(1, count + 1))
    assert not shown[count:].any()
    if columns is not None:
        assert sheet.shape[1] == 3 * min(columns, count)


def test_ten_images_make_a_grid_of_four_columns() -> None:
    assert images.grid(np.zeros((10, 162, 162, 3), np.uint8)).shape == (3 * 162, 4 * 162, 3)


@pytest.mark.parametrize("bad", [0, -5, (0, 10)])
def test_a_size_below_one_is_refused(bad: int | tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="at least 1x1"):
        images.resize(np.zeros((4, 4, 3), np.uint8), bad)


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="grid"):
        images.grid(np.zeros((0, 4, 4, 3), np.uint8))
    with pytest.raises(UsageError, match="columns"):
        images.grid(np.zeros((1, 4, 4, 3), np.uint8), 0)


# --- Encoding and metadata ---

METADATA = {
    "Software": "ffgan 1.0",
    "seed": "18446744073709551615",
    "score": "-0.25",
    "comment": "line one\nline two, <tags> & \"quotes\" 'too'",
    "name": "Gesicht, visage, 顔 😀",
}


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
@pytest.mark.parametrize("size", [(40, 24), (1, 1), (161, 163)])
def test_metadata_come_back_and_pixels_stay(format: Any, size: tuple[int, int]) -> None:
    image = np.asarray(picture().resize(size))
    plain, described = (images.encode(image, format, 95, given) for given in (None, METADATA))
    assert images.read_metadata(described) == METADATA
    assert images.read_metadata(plain) == {}
    with Image.open(io.BytesIO(described)) as opened:
        opened.load()
        assert opened.size == size
        assert np.array_equal(np.asarray(opened.convert("RGB")), pillow(plain))
    assert np.array_equal(images.decode(described), images.decode(plain))


def test_png_text_is_what_pillow_reads() -> None:
    data = images.encode(np.asarray(picture()), PNG, metadata=METADATA)
    with Image.open(io.BytesIO(data)) as opened:
        opened.verify()
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.text == METADATA
    assert np.array_equal(pillow(data), np.asarray(picture()))


def test_jpeg_comment_and_webp_description_are_what_pillow_reads() -> None:
    with Image.open(
        io.BytesIO(images.encode(np.asarray(picture()), JPEG, metadata=METADATA))
    ) as im:
        assert b'"seed": "18446744073709551615"' in im.info["comment"]
        assert im.info["jfif"]
    with Image.open(
        io.BytesIO(images.encode(np.asarray(picture()), WEBP, metadata=METADATA))
    ) as im:
        assert im.format == "WEBP"
        assert b'"seed": "18446744073709551615"' in im.info["xmp"]


def test_jpeg_and_webp_are_close_to_the_image() -> None:
    image = np.asarray(picture(162, 162))
    for format in (JPEG, WEBP):
        assert np.abs(pillow(images.encode(image, format, 95)).astype(int) - image).mean() < 3
        low, high = (len(images.encode(image, format, quality)) for quality in (10, 95))
        assert low < high


texts = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9_.]{1,79}", fullmatch=True),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    max_size=5,
)


@settings(deadline=None)
@given(metadata=texts, format=st.sampled_from([PNG, JPEG, WEBP]))
def test_any_text_comes_back(metadata: dict[str, str], format: Any) -> None:
    data = images.encode(np.asarray(picture()), format, metadata=metadata)
    assert images.read_metadata(data) == metadata
    backwards = dict(reversed(metadata.items()))
    assert images.encode(np.asarray(picture()), format, metadata=backwards) == data


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("", "x", "name"),
        ("x" * 80, "x", "name"),
        (" x", "x", "space"),
        ("a  b", "x", "space"),
        ("näme", "x", "name"),
        ("x", "a\0b", "NUL"),
        ("x", "\udcff", "not text"),
        ("x", "y" * (images.MAX_TEXT // 8 + 1), "characters"),
    ],
)
def test_metadata_that_no_file_can_hold_are_refused(name: str, text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        images.encode(np.asarray(picture()), PNG, metadata={name: text})


def test_metadata_too_long_for_a_jpeg_comment_are_refused() -> None:
    with pytest.raises(UsageError, match="write png"):
        images.encode(np.asarray(picture()), JPEG, metadata={"x": "y" * 65536})


@pytest.mark.parametrize(
    ("image", "format", "quality", "reason"),
    [
        (np.zeros((4, 4), np.uint8), PNG, 95, "uint8"),
        (np.zeros((4, 4, 3), np.float32), PNG, 95, "uint8"),
        (np.zeros((0, 4, 3), np.uint8), PNG, 95, "uint8"),
        (np.zeros((4, 4, 3), np.uint8), JPEG, 0, "quality 0"),
        (np.zeros((4, 4, 3), np.uint8), JPEG, 101, "quality 101"),
        (np.zeros((4, 4, 3), np.uint8), "gif", 95, "png, jpg or webp"),
        (np.zeros((1, 16384, 3), np.uint8), WEBP, 95, "16383"),
    ],
)
def test_what_cannot_be_encoded_is_refused(
    image: Any, format: Any, quality: int, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        images.encode(image, format, quality)


def test_text_of_other_programs_is_read() -> None:
    info = PngInfo()
    info.add_text("Title", "été", zip=True)
    info.add_itxt("Author", "名前", zip=True)
    png = file_of(picture(), "PNG", pnginfo=info)
    assert images.read_metadata(png) == {"Title": "été", "Author": "名前"}
    jpeg = file_of(picture(), "JPEG", comment="made by hand")
    assert images.read_metadata(jpeg) == {"comment": "made by hand"}


def test_a_png_text_that_unpacks_without_bound_is_cut() -> None:
    info = PngInfo()
    info.add_text("big", "x" * 10_000_000, zip=True)
    found = images.read_metadata(file_of(picture(), "PNG", pnginfo=info))
    assert len(found["big"]) == images.MAX_TEXT


def test_xml_that_defines_entities_is_not_read() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    assert images.read_metadata(file_of(picture(), "WEBP", xmp=bomb)) == {}


@pytest.mark.parametrize("data", [b"", b"text", file_of(picture(), "BMP"), png_header(4, 4)])
def test_files_without_metadata_to_read_are_named(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.png"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=r"file\.png"):
        images.read_metadata(file)


@settings(max_examples=200, deadline=None)
@given(
    format=st.sampled_from([PNG, JPEG, WEBP]),
    changes=changes_of_bytes,
    kept=st.integers(0, 2000),
)
def test_reading_metadata_of_damaged_files_ends_in_text_or_an_error(
    format: Any, changes: list[tuple[int, bytes]], kept: int
) -> None:
    data = images.encode(np.asarray(picture()), format, metadata=METADATA)
    try:
        found = images.read_metadata(damage(data, changes)[:kept])
    except UsageError as error:
        found = {"error": str(error).removeprefix("picture: ")}
    assert all(isinstance(text, str) for text in found.values())


# --- Saving ---


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "A.PNG", "b.JPG"])
def test_save_writes_the_format_of_the_suffix(name: str, tmp_path: Path) -> None:
    images.save(tmp_path / name, np.asarray(picture()), {"seed": "7"}, 90)
    with Image.open(tmp_path / name) as opened:
        expected = {"p": "PNG", "j": "JPEG", "w": "WEBP"}[name.lower()[2]]
        assert opened.format == expected
    assert images.read_metadata(tmp_path / name) == {"seed": "7"}
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_saved_files_are_readable_as_the_umask_says(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    images.save(tmp_path / "a.png", np.asarray(picture()))
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_save_names_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"face\.gif.*\.png, \.jpg or \.webp"):
        images.save(tmp_path / "face.gif", np.asarray(picture()))


def test_save_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"cannot write .*a\.png: No such file"):
        images.save(tmp_path / "none" / "a.png", np.asarray(picture()))


def test_a_full_disk_leaves_the_old_file_and_one_line(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    # A limit on the length of files stands for the full disk; it needs a process of its own.
    program = f"""
import resource, numpy as np
from ffgan import images
from ffgan.errors import Error
images.encode(np.zeros((4, 4, 3), np.uint8))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
try:
    images.save({str(target)!r}, noise)
except Error as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == f"cannot write {target}: File too large\n", done.stderr
    assert target.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
