# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that are uploaded, the hostile ones first."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_server import Client, FakeModel, in_loop, ready

from ffgan import _core, images
from ffgan.dataset import fit_square
from ffgan.model import Model
from ffgan.server import Settings, create_app

TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
LIMIT = 100_000


@pytest.fixture(scope="module")
def client() -> Client:
    return ready(create_app(FakeModel(), Settings(max_upload=LIMIT, max_pixels=1_000_000)))


def post(client: Client, body: bytes, kind: str = "image/png") -> httpx.Response:
    return client.request("POST", "/score", content=body, headers={"Content-Type": kind})


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def photo(height: int = 200, width: int = 300) -> images.RGB:
    drawn = np.random.default_rng(4).integers(0, 256, (height // 20, width // 20, 3))
    return np.kron(drawn, np.ones((20, 20, 1))).astype(np.uint8)


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
    assert post(client, webp, "image/png").status_code == 200
    assert reason(post(client, webp, "image/gif")) == (415, "unsupported_media_type")
    assert reason(post(client, webp, "multipart/form-data")) == (415, "unsupported_media_type")
    answer = client.request("POST", "/score", content=webp)
    assert reason(answer) == (415, "unsupported_media_type")
    bitmap = io.BytesIO()
    Image.fromarray(photo()).save(bitmap, "BMP")
    assert reason(post(client, bitmap.getvalue()[:LIMIT])) == (415, "unsupported_media_type")


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
    shared: Client, format: images.Format, chance: random.Random, changes: int, cut: float
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
    answer = post(shared, bytes(data), TYPES[format])
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
def test_nonsense_is_refused(shared: Client, start: bytes, rest: bytes) -> None:
    assert 400 <= post(shared, start + rest).status_code < 500


@pytest.fixture(scope="module")
def shared() -> Client:
    return ready(create_app(FakeModel(), Settings(max_upload=LIMIT, max_pixels=1_000_000)))


FILES = {format: images.encode(photo(), format) for format in TYPES}


# --- Size, number, time ---


def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return parts()


def test_too_many_bytes_are_refused_with_and_without_a_length(client: Client) -> None:
    assert reason(post(client, bytes(LIMIT + 1))) == (413, "too_large")
    headers = {"Content-Type": "image/png"}
    answer = client.request("POST", "/score", content=chunks(bytes(LIMIT + 1)), headers=headers)
    assert reason(answer) == (413, "too_large")
    within = images.encode(photo(), "png")
    answer = client.request("POST", "/score", content=chunks(within), headers=headers)
    assert answer.status_code == 200
    answer = post(client, bytes(LIMIT + 1), "application/x-npy")
    assert reason(answer) == (415, "unsupported_media_type")


def upload(app: Any, messages: list[dict[str, Any]]) -> asyncio.Task[list[dict[str, Any]]]:
    """A POST whose body comes as `messages`, then never again."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> list[dict[str, Any]]:
        headers = [(b"content-type", b"image/png")]
        scope = {"type": "http", "method": "POST", "path": "/score", "headers": headers}
        await app({**scope, "query_string": b""}, receive, send)
        return sent

    return asyncio.ensure_future(call())


def test_an_upload_that_does_not_end_is_ended() -> None:
    app = create_app(FakeModel(), Settings(upload_seconds=0.05))
    begun = {"type": "http.request", "body": b"x", "more_body": True}

    async def story(client: httpx.AsyncClient) -> None:
        sent = await upload(app, [begun])
        assert sent[0]["status"] == 408
        assert b'"reason":"too_slow"' in sent[1]["body"]

    in_loop(app, story)


def test_an_upload_whose_client_leaves_is_dropped() -> None:
    app = create_app(FakeModel())
    begun = {"type": "http.request", "body": b"x", "more_body": True}

    async def story(client: httpx.AsyncClient) -> None:
        sent = await upload(app, [begun, {"type": "http.disconnect"}])
        assert sent[0]["status"] == 499

    in_loop(app, story)


def test_uploads_at_one_time_are_bounded() -> None:
    app = create_app(FakeModel(), Settings(max_uploads=2))
    file = images.encode(photo(), "png")

    async def story(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        waiting = [upload(app, []) for _ in range(2)]
        await asyncio.sleep(0.05)
        headers = {"Content-Type": "image/png"}
        answer = await client.post("/score", content=file, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        answer = await client.post("/score", content=file, headers=headers)
        assert answer.status_code == 200

    in_loop(app, story)
