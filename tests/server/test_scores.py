# SPDX-License-Identifier: GPL-3.0-or-later
"""The score of an uploaded image, and images that are damaged or hostile."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.server import (
    Client,
    FakeModel,
    photo,
    post,
    ready,
    reason,
)

from ffgan import _core, images
from ffgan.dataset import fit_square
from ffgan.model import Model
from ffgan.server import Settings, create_app
from ffgan.server.http import image_uploads

TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


FORM = "application/x-www-form-urlencoded"  # what `curl -d` says where it is told nothing


LIMIT = 100_000
SETTINGS = Settings(max_upload=LIMIT, max_pixels=1_000_000)


FILES = {format: images.encode(photo(), format) for format in TYPES}


@pytest.mark.parametrize("format", TYPES)
def test_score_is_the_discriminators(format: images.Format) -> None:
    trainer = _core.Trainer(seed=2)
    model = Model(trainer.parameters("averaged"), trainer.parameters("discriminator"), {})
    client = ready(create_app(model, Settings(threshold=-1e6)))
    file = images.encode(photo(), format)
    answer = post(client, file, TYPES[format])
    square = fit_square(images.decode(file), 162, "crop")
    assert answer.json() == {
        "score": round(float(model.score(square[None])[0]), 4),
        "candidate": True,
        "width": 300,
        "height": 200,
    }
    assert answer.headers["cache-control"] == "no-store"


def test_a_face_of_the_server_gets_the_score_it_came_with() -> None:
    trainer = _core.Trainer(seed=2)
    model = Model(trainer.parameters("averaged"), trainer.parameters("discriminator"), {})
    client = ready(create_app(model))
    face = client.get("/face.png?seed=1")
    score = post(client, face.content).json()["score"]
    assert f"{score:.4f}" == face.headers["x-ffgan-score"]


def test_the_type_is_told_by_the_bytes(client: Client) -> None:
    webp = images.encode(photo(), "webp")
    for named in ("image/png", "image/gif", "Image/JPG; x=y", "image/pjpeg", "image/x-png"):
        assert post(client, webp, named).status_code == 200
    assert post(client, webp, "application/octet-stream").status_code == 200
    assert client.request("POST", "/score", content=webp).status_code == 200
    assert reason(post(client, webp, "text/plain")) == (415, "unsupported_media_type")
    bitmap = io.BytesIO()
    Image.fromarray(photo()).save(bitmap, "BMP")
    assert reason(post(client, bitmap.getvalue()[:LIMIT])) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_photographs_of_phones_are_scored(client: Client, kind: str) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file = io.BytesIO()
    if kind == "AVIF":
        Image.fromarray(photo()).save(file, "AVIF", quality=90)
    else:
        heif.from_pillow(Image.fromarray(photo())).save(file, quality=90)
    answer = post(client, file.getvalue(), "application/octet-stream")
    assert (answer.status_code, answer.json()["width"]) == (200, 300)


def test_another_kind_of_picture_is_named(client: Client) -> None:
    file = io.BytesIO()
    Image.fromarray(photo(40, 40)).save(file, "TIFF")
    answer = post(client, file.getvalue())
    assert reason(answer) == (415, "unsupported_media_type")
    assert answer.json()["message"].startswith("the file is a TIFF: send JPEG, PNG, WebP")


def test_what_takes_more_memory_than_there_is_is_refused_by_its_header() -> None:
    client = ready(create_app(FakeModel(), Settings(memory=16)))
    answer = post(client, png(3000, 3000, b""))
    assert reason(answer) == (413, "too_many_pixels")
    assert "3000x3000 pixels of PNG take 35 MB, more than the limit of 16 MB" in answer.text
    assert post(client, images.encode(photo(), "png")).status_code == 200


def test_inks_count_as_converted_also_without_a_profile() -> None:
    client = ready(create_app(FakeModel(), Settings(memory=16)))
    for mode, status in (("RGB", 200), ("CMYK", 413)):
        file = io.BytesIO()
        Image.new(mode, (1250, 1250)).save(file, "JPEG", progressive=True)
        assert post(client, file.getvalue()).status_code == status


def test_a_kind_that_nothing_here_reads_is_of_an_unsupported_type(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    """Not a damaged file; and what to install is not the client's concern."""
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(photo())).save(file)
    monkeypatch.setattr("ffgan.images.kinds.find_spec", lambda name: None)
    answer = post(client, file.getvalue(), "image/heic")
    assert reason(answer) == (415, "unsupported_media_type")
    message = "this server has nothing that reads HEIC: send JPEG, PNG, WebP or AVIF"
    assert answer.json()["message"] == message


@pytest.mark.parametrize(
    ("kind", "size", "mode", "most"),
    [
        ("AVIF", (4080, 3060), "RGB", 300),
        ("HEIC", (4080, 3060), "RGB", 300),
        ("JPEG", (8160, 6144), "RGB", 16),
        ("AVIF", (1000, 1000), "RGBA", 52),
    ],
)
def test_photographs_of_phones_fit_into_the_default_memory(
    kind: str, size: tuple[int, int], mode: str, most: int
) -> None:
    """By their headers: 12 megapixels as AVIF and HEIC, 50 as JPEG."""
    file = io.BytesIO()
    if kind == "HEIC":
        heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
        heif.from_pillow(Image.new(mode, (64, 64))).save(file)
    else:
        Image.new(mode, size if kind == "JPEG" else (64, 64)).save(file, kind)
    data = file.getvalue()
    if kind != "JPEG":
        small, large = struct.pack(">II", 64, 64), struct.pack(">II", *size)
        assert small in data
        data = data.replace(small, large)
    found, (height, width) = image_uploads.checked(data, Settings(), 162)
    assert (width, height) == size
    assert image_uploads.need(found, 162) >> 20 <= most
    if mode == "RGBA":
        assert image_uploads.need(found, 162) >> 20 >= 39


@pytest.mark.parametrize("form", ["multipart/form-data; boundary=x", FORM])
def test_a_form_is_told_how_to_send_a_file(client: Client, form: str) -> None:
    answer = post(client, b"--x", form)
    assert reason(answer) == (415, "unsupported_media_type")
    command = "curl --data-binary @FILE -H 'Content-Type: image/jpeg'"
    assert command in answer.json()["message"]


def png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_decompression_bombs_cost_nothing(client: Client) -> None:
    bombs = [
        png(60_000, 60_000, zlib.compress(bytes(10_000_000))),
        png(2**31 - 1, 2**31 - 1, b""),
        b"RIFF"
        + struct.pack("<I", 30)
        + b"WEBPVP8X"
        + struct.pack("<I", 10)
        + b"\0" * 4
        + b"\xff" * 6,
    ]
    tracemalloc.start()
    try:
        for bomb in bombs:
            assert reason(post(client, bomb)) == (413, "too_many_pixels")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    # Just as many pixels as its header says is all that a decoder makes room for.
    assert post(client, png(10, 10, zlib.compress(bytes(10_000_000)))).status_code in (200, 422)


def test_scans_without_end_are_not_decoded(client: Client) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((800, 800, 3), np.uint8)).save(
        file, "JPEG", progressive=True, quality=1
    )
    data = file.getvalue()
    assert post(client, data, "image/jpeg").status_code == 200
    last = data[data.rindex(b"\xff\xda") : -2]
    answer = post(client, data[:-2] + last * 50 + b"\xff\xd9", "image/jpeg")
    assert reason(answer) == (413, "too_many_pixels")
    assert "scans" in answer.json()["message"]


@pytest.mark.parametrize("format", TYPES)
def test_truncated_images_are_told(client: Client, format: images.Format) -> None:
    file = images.encode(photo(), format)
    for length in range(0, len(file), max(1, len(file) // 40)):
        assert reason(post(client, file[:length], TYPES[format])) == (422, "invalid_image")


@settings(max_examples=150, deadline=None)
@given(
    format=st.sampled_from(list(TYPES)),
    chance=st.randoms(use_true_random=False),
    changes=st.integers(1, 30),
    cut=st.floats(0, 1),
)
def test_damaged_images_never_make_it_fail(
    client: Client, format: images.Format, chance: random.Random, changes: int, cut: float
) -> None:
    """Bytes of a real file, changed, removed and repeated where an image's structure is."""
    data = bytearray(FILES[format])
    for _ in range(changes):
        place = chance.randrange(min(len(data), chance.choice((64, 512, len(data)))))
        match chance.randrange(3):
            case 0:
                data[place] = chance.randrange(256)
            case 1:
                del data[place : place + chance.randrange(16)]
            case 2:
                data[place:place] = data[place : place + chance.randrange(64)]
    data = data[: len(data) - int(cut * cut * cut * len(data))] or bytearray(b"\0")
    answer = post(client, bytes(data), TYPES[format])
    assert answer.status_code in (200, 413, 415, 422)
    if answer.status_code != 200:
        assert answer.json()["reason"] in (
            *("invalid_image", "too_many_pixels", "too_large", "unsupported_media_type"),
        )


@settings(max_examples=100, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8 ", b"BM", b"II*\0"]
    ),
    rest=st.binary(max_size=400),
)
def test_nonsense_is_refused(client: Client, start: bytes, rest: bytes) -> None:
    assert 400 <= post(client, start + rest).status_code < 500
