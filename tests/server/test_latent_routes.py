# SPDX-License-Identifier: GPL-3.0-or-later
"""The latents of faces, and the images of latents."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from support.server import (
    FORMATS,
    Client,
    FakeModel,
    problem,
    zip_files,
)

from ffgan import images
from ffgan.latent import noise
from ffgan.server import Settings

SETTINGS = Settings(tries=1)


JSON = {"Content-Type": "application/json"}


NPY = {"Content-Type": "application/x-npy"}


PNG = {"Content-Type": "image/png"}


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("truncation", [1.0, 0.5])
def test_latents_out(client: Client, truncation: float) -> None:
    url = f"/latents?seed=7&count=3&truncation={truncation}"
    expected = np.stack([noise(7 + i) for i in range(3)]) * np.float32(truncation)
    answer = client.get(url)
    assert answer.json()["seeds"] == [7, 8, 9]
    np.testing.assert_array_equal(np.float32(answer.json()["latents"]), expected)
    as_file = client.get(f"{url}&format=npy")
    np.testing.assert_array_equal(np.load(io.BytesIO(as_file.content)), expected)
    assert client.get(url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "array",
    [
        np.stack([noise(i) for i in range(3)]),
        np.stack([noise(i) for i in range(3)]).astype(np.float64),
        np.stack([noise(i) for i in range(3)]).astype(">f4"),
        np.asfortranarray(np.stack([noise(i) for i in range(3)])),
    ],
)
def test_latents_in_as_numpy_file(
    client: Client, served: FakeModel, array: np.ndarray[Any, Any]
) -> None:
    answer = client.request("POST", "/latents?format=npy", content=npy(array), headers=NPY)
    expected = served.render(np.stack([noise(i) for i in range(3)]))
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), expected)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("format", FORMATS)
def test_latents_in_as_json(client: Client, format: str) -> None:
    seven = client.get("/latents?seed=7&count=1").content
    answer = client.request("POST", f"/latents?format={format}", content=seven, headers=JSON)
    assert answer.headers["content-type"] == FORMATS[format]
    assert answer.headers["x-ffgan-score"] == "-1.5000"
    pixels = images.decode(client.get(f"/face.{format}?seed=7").content)
    np.testing.assert_array_equal(images.decode(answer.content), pixels)
    three = client.get("/latents?seed=7&count=3").content
    found = zip_files(
        client.request("POST", f"/latents?format={format}", content=three, headers=JSON)
    )
    assert list(found) == [f"face-000{i}.{format}" for i in range(3)]
    np.testing.assert_array_equal(images.decode(found[f"face-0000.{format}"]), pixels)


DESCRIPTION = "{'descr': '%s', 'fortran_order': False, 'shape': (%d, 100)}"


def of(*shape: int, dtype: Any = np.float32) -> bytes:
    return npy(np.zeros(shape, dtype))


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", JSON, (422, "invalid_latents")),
        (b"{", JSON, (422, "invalid_latents")),
        (b"[" * 100_000, JSON, (422, "invalid_latents")),
        (b'{"latents": []}', JSON, (422, "invalid_latents")),
        (b'{"latents": [[1]]}', JSON, (422, "invalid_latents")),
        (b'{"latents": [[1e400' + b",0" * 99 + b"]]}", JSON, (422, "invalid_latents")),
        (b'{"latents": [[NaN' + b",0" * 99 + b"]]}", JSON, (422, "invalid_latents")),
        (b'{"latents": [[101' + b",0" * 99 + b"]]}", JSON, (422, "invalid_latents")),
        (b"\xff\xfe", JSON, (422, "invalid_latents")),
        (json.dumps({"latents": [[0] * 100] * 257}).encode(), JSON, (422, "too_many_latents")),
        (b"", NPY, (422, "invalid_latents")),
        (b"\x93NUMPY", NPY, (422, "invalid_latents")),
        (b"\x93NUMPY\x03\x00" + b" " * 200, NPY, (422, "invalid_latents")),
        (of(2, 99), NPY, (422, "invalid_latents")),
        (of(0, 100), NPY, (422, "invalid_latents")),
        (of(100), NPY, (422, "invalid_latents")),
        (of(257, 100), NPY, (422, "too_many_latents")),
        (of(2, 100, dtype=np.int32), NPY, (422, "invalid_latents")),
        (of(2, 100, dtype=np.complex64), NPY, (422, "invalid_latents")),
        (of(2, 100)[:-1], NPY, (422, "invalid_latents")),
        (of(2, 100) + b"x", NPY, (422, "invalid_latents")),
        (npy(np.full((1, 100), np.nan, np.float32)), NPY, (422, "invalid_latents")),
        (npy(np.full((1, 100), 1e30, np.float32)), NPY, (422, "invalid_latents")),
        (header(DESCRIPTION % ("<f4", 10**18)), NPY, (422, "invalid_latents")),
        (header(DESCRIPTION % ("|O", 1)) + b"x" * 800, NPY, (422, "invalid_latents")),
        (header(DESCRIPTION % ("<f4", -1)), NPY, (422, "invalid_latents")),
        (header("(" * 5000), NPY, (422, "invalid_latents")),
        (header("__import__('os').abort()"), NPY, (422, "invalid_latents")),
        (of(1, 100)[1:], {}, (422, "invalid_latents")),
        (of(1, 100), PNG, (415, "unsupported_media_type")),
    ],
)
def test_wrong_latents_are_refused(
    client: Client, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = client.request("POST", "/latents", content=body, headers=headers)
    assert problem(answer)[:2] == expected


def test_latents_of_too_many_pixels_are_refused(client: Client) -> None:
    answer = client.request("POST", "/latents?size=1024", content=of(200, 100), headers=NPY)
    assert problem(answer) == (422, "too_many_pixels", "size")
