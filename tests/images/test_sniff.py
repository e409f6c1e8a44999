# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is called by its first bytes, and in the reason why it is refused."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image
from support.pictures import file_of, picture

from ffgan import images
from ffgan.errors import DatasetError


def zip_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


def boxes(brand: bytes, *compatible: bytes) -> bytes:
    content = brand + b"\0\0\0\0" + b"".join(compatible)
    return (8 + len(content)).to_bytes(4, "big") + b"ftyp" + content + bytes(40)


FOREIGN = {
    "HEIC": boxes(b"heic", b"mif1"),
    "HEIF": boxes(b"mif1", b"miaf"),
    "AVIF": boxes(b"avif", b"mif1"),
    "raw photograph": boxes(b"crx ", b"isom"),
    "MP4 video": boxes(b"isom", b"mp42"),
    "QuickTime video": boxes(b"qt  "),
    "JPEG XL": b"\xff\x0a" + bytes(30),
    "JPEG 2000": file_of(picture(), "JPEG2000"),
    "GIF": file_of(picture(), "GIF"),
    "PPM": file_of(picture(), "PPM"),
    "property list": b"bplist00" + bytes(60),
    "icon": file_of(picture().resize((16, 16)), "ICO"),
    "Photoshop": b"8BPS\0\1" + bytes(30),
    "SVG": b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "HTML": b"\xef\xbb\xbf\n<!DOCTYPE html><html><head><title>404</title></head></html>",
    "XML": b"<?xml version='1.0'?><plist/>",
    "JSON": b'{"error": "not found"}',
    "text": "Zugriff verweigert für alle\n".encode(),
    "PDF": b"%PDF-1.7\n",
    "zip": zip_file(),
    "AppleDouble": b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(80),
    "zeros": bytes(5000),
    "BigTIFF": file_of(picture(), "TIFF", big_tiff=True),
    "AVI video": b"RIFF\0\0\0\0AVI LIST",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_the_type_of_a_file_that_is_not_read_is_named(name: str) -> None:
    assert images.describe(FOREIGN[name]) == name


def test_a_heif_is_named_by_what_is_coded_in_it() -> None:
    assert images.describe(boxes(b"mif1", b"heic", b"miaf")) == "HEIC"
    assert images.describe(boxes(b"mif1", b"avif", b"miaf")) == "AVIF"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WebP", "BMP", "TIFF"])
def test_files_that_are_read_have_the_same_name_as_their_container(format: str) -> None:
    data = file_of(picture(), format)
    assert images.describe(data) == images.file_type(data) == format


def test_bytes_of_no_type_are_unknown() -> None:
    assert images.describe(b"") == "empty"
    assert images.describe(bytes(range(1, 200))) == "unknown"
    assert images.describe(b"BM is text, too") == "text"


def test_the_reason_for_a_refusal_names_the_type() -> None:
    for data, reason in (
        (FOREIGN["GIF"], "^GIF, not a JPEG, PNG"),
        (FOREIGN["HTML"], "^HTML, not a JPEG, PNG"),
        (b"\1\2\3", "^not a JPEG, PNG"),
    ):
        with pytest.raises(DatasetError, match=reason):
            images.decode(data)


def test_the_beginning_of_a_file_is_enough() -> None:
    data = file_of(Image.effect_noise((300, 300), 80), "PNG")
    assert images.describe(data[: images.containers.SNIFFED]) == "PNG"
