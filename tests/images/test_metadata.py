# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in image files: what is written comes back, and nothing that is read can hurt."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.pictures import (
    changes_of_bytes,
    damage,
    file_of,
    picture,
    pillow,
    png_header,
)

from ffgan import images
from ffgan.errors import UsageError

PNG, JPEG, WEBP = "png", "jpg", "webp"


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


def test_a_png_text_that_does_not_unpack_is_an_error() -> None:
    text = PngInfo()
    text.add_text("Description", "from elsewhere" * 100, zip=True)
    data = bytearray(file_of(picture(), "PNG", pnginfo=text))
    packed = data.index(b"Description\0") + len("Description\0") + 1
    data[packed : packed + 2] = b"\0\0"
    with pytest.raises(UsageError, match="damaged"):
        images.read_metadata(bytes(data))


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
        found = {"error": str(error).removeprefix("image: ")}
    assert all(isinstance(text, str) for text in found.values())
