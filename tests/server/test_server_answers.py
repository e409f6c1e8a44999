# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server answers beside a single face: directions, several, interpolations, latents."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import zipfile
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image
from test_server import FORMATS, Client, FakeModel, in_loop, ready

from ffgan import images
from ffgan.images import animation
from ffgan.latent import MAX_SEED, noise, path
from ffgan.server import Settings, create_app

JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy"}
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture(scope="module")
def client(model: FakeModel) -> Client:
    # Each seed's face is its first draw.
    return ready(create_app(model, Settings(tries=1, max_faces=40)))


def rendered(model: FakeModel, latent: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return model.render(latent[None])[0]


def files(answer: httpx.Response) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def reason(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    return answer.status_code, problem["reason"], problem.get("parameter")


# --- Between seeds, and along directions ---


@pytest.mark.parametrize("at", [0, 0.25, 1, 1.5, 2])
def test_face_between_seeds(client: Client, model: FakeModel, at: float) -> None:
    answer = client.get(f"/face.png?seeds=1,2,3&at={at}")
    between = path(np.stack([noise(seed) for seed in (1, 2, 3)]), at)
    np.testing.assert_array_equal(images.decode(answer.content), rendered(model, between))
    assert "immutable" in answer.headers["cache-control"]
    alone = {0: "1", 1: "2", 2: "3"}.get(at)
    assert answer.headers["x-ffgan-seed"] == (alone or ("1,2" if at < 1 else "2,3"))


def test_both_ends_are_the_faces_of_their_seeds(client: Client) -> None:
    for at, seed in ((0, 1), (1, 2)):
        between = client.get(f"/face.png?seeds=1,2&at={at}")
        alone = client.get(f"/face.png?seed={seed}")
        assert between.content == alone.content
        assert between.headers["etag"] == alone.headers["etag"]


def test_face_moves_along_directions(client: Client, model: FakeModel) -> None:
    directions = model.directions()
    moved = noise(1) + np.float32(1.5) * directions[0].vector
    moved = moved + np.float32(-2) * directions[99].vector
    answer = client.get("/face.png?seed=1&move=0:1.5,99:-2")
    np.testing.assert_array_equal(images.decode(answer.content), rendered(model, moved))
    origin = images.read_metadata(answer.content)
    assert (origin["seed"], origin["move"]) == ("1", "0:1.5,99:-2")
    assert client.get("/face.png?seeds=1,2&at=0.5&move=0:1").status_code == 200
    random = client.get("/face.png?move=0:1")
    assert random.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *[("seeds=1", "seeds"), ("seeds=1,2,3,4,5", "seeds"), ("seeds=1,", "seeds")],
        *[("seeds=1,x", "seeds"), ("seeds=-1,2", "seeds"), (f"seeds=1,{MAX_SEED + 1}", "seeds")],
        *[
            ("seeds=1,2&seed=3", "seeds"),
            ("seeds=%D9%A1,%D9%A2", "seeds"),
            ("seeds=1,2%0A", "seeds"),
        ],
        *[("at=1", "at"), ("seed=1&at=0.5", "at"), ("seeds=1,2&at=1.01", "at")],
        *[("seeds=1,2&at=-1", "at"), ("seeds=1,2&at=nan", "at"), ("seeds=1,2&at=4", "at")],
        *[("move=0", "move"), ("move=0:7", "move"), ("move=100:1", "move"), ("move=0:x", "move")],
        *[("move=0:1e3", "move"), ("move=0:-6.1", "move"), ("move=" + "0:1," * 20 + "0:1", "move")],
    ],
)
def test_wrong_ways_are_named(client: Client, query: str, parameter: str) -> None:
    assert reason(client.get(f"/face.png?{query}")) == (422, "invalid_parameter", parameter)


def test_directions_are_listed_with_their_names(client: Client, model: FakeModel) -> None:
    answer = client.get("/directions?count=3")
    assert [direction["index"] for direction in answer.json()] == [0, 1, 2]
    assert answer.json()[1]["low"] == "dark"
    assert answer.json()[1]["high"] == "light"
    assert answer.json()[0]["low"] is None
    assert answer.json()[0]["strength"] == pytest.approx(model.directions()[0].strength, abs=1e-6)
    assert len(client.get("/directions").json()) == 12
    again = client.get("/directions?count=3", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


# --- Several ---


@pytest.mark.parametrize("format", FORMATS)
def test_grid_has_the_faces_row_by_row(client: Client, model: FakeModel, format: str) -> None:
    answer = client.get(f"/faces.{format}?seed=5&count=5&columns=3&size=54")
    assert answer.headers["content-type"] == FORMATS[format]
    sheet = images.decode(answer.content).astype(int)
    assert sheet.shape == (108, 162, 3)
    for i in range(5):
        row, column = divmod(i, 3)
        place = sheet[54 * row : 54 * row + 54, 54 * column : 54 * column + 54]
        face = images.resize(rendered(model, noise(5 + i)), 54)
        assert np.abs(place - face).mean() <= (0 if format == "png" else 20)
    assert images.read_metadata(answer.content)["count"] == "5"
    assert (
        client.get(
            f"/faces.{format}?seed=5&count=5&columns=3&size=54",
            headers={"If-None-Match": answer.headers["etag"]},
        ).status_code
        == 304
    )


@pytest.mark.parametrize("format", FORMATS)
def test_zip_has_the_files_that_their_urls_have(client: Client, format: str) -> None:
    answer = client.get(f"/faces.zip?seed=5&count=20&format={format}")
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    found = files(answer)
    assert list(found) == [f"face-{5 + i}.{format}" for i in range(20)]
    for i in (0, 19):
        assert found[f"face-{5 + i}.{format}"] == client.get(f"/face.{format}?seed={5 + i}").content
    assert client.get(f"/faces.zip?seed=5&count=20&format={format}").content == answer.content


def test_tar_has_the_files_too(client: Client) -> None:
    answer = client.get("/faces.tar?seed=5&count=3")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getnames() == ["face-5.png", "face-6.png", "face-7.png"]
        file = archive.extractfile("face-6.png")
        assert file is not None
        assert file.read() == client.get("/face.png?seed=6").content
        assert archive.getmembers()[0].mode == 0o644


def test_an_archive_is_sent_while_it_is_made(model: FakeModel) -> None:
    """Whoever breaks off after the first part has not made the server draw all of it."""
    app = create_app(model, Settings(tries=1, batch=2))

    async def story(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        model.drawn.clear()
        sent: list[dict[str, Any]] = []
        scope = {
            **{"type": "http", "method": "GET", "path": "/faces.zip", "headers": []},
            "query_string": b"seed=1&count=900",
        }

        async def receive() -> dict[str, Any]:
            while len(sent) < 3:
                await asyncio.sleep(0.001)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            await asyncio.sleep(0.001)

        await app(scope, receive, send)
        assert sent[0]["status"] == 200
        assert sent[1]["body"].startswith(b"PK")
        assert sent[-1].get("more_body", True)
        assert len(model.drawn) < 100
        # And its places in the queue are free again.
        assert app.state.inference.take(app.state.inference.places).close() is None

    in_loop(app, story)


def test_archives_leave_half_of_the_room_to_others() -> None:
    model = FakeModel()
    app = create_app(model, Settings(tries=1, batch=2, queue=6))

    async def story(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        model.gate.clear()
        archives = [
            asyncio.create_task(client.get(f"/faces.zip?count=5&seed={seed}")) for seed in (1, 2)
        ]
        while "ffgan_queue_taken 4.0" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.01)
        for url in ("/faces.tar?count=2", "/interpolation.zip?seeds=1,2"):
            answer = await client.get(url)
            assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
        face = asyncio.create_task(client.get("/face.png?seed=1"))
        await asyncio.sleep(0.01)
        model.gate.set()
        assert (await face).status_code == 200
        for archive in archives:
            assert len(files(await archive)) == 5
        assert (await client.get("/faces.tar?count=2")).status_code == 200

    in_loop(app, story)


@pytest.mark.parametrize("kind", ["png", "zip", "tar"])
def test_several_without_seed_are_random_and_not_stored(client: Client, kind: str) -> None:
    first, second = (client.get(f"/faces.{kind}?count=2") for _ in range(2))
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-ffgan-seed"] != second.headers["x-ffgan-seed"]
    seed = first.headers["x-ffgan-seed"]
    assert client.get(f"/faces.{kind}?count=2&seed={seed}").content == first.content


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/faces.png?count=0", (422, "invalid_parameter", "count")),
        ("/faces.png?count=101", (422, "invalid_parameter", "count")),
        ("/faces.zip?count=41", (422, "invalid_parameter", "count")),
        ("/faces.png?columns=0", (422, "invalid_parameter", "columns")),
        ("/faces.png?count=100&size=1024", (422, "too_many_pixels", "size")),
        (f"/faces.png?seed={MAX_SEED}&count=2", (422, "invalid_parameter", "seed")),
        (f"/faces.zip?seed={MAX_SEED - 5}&count=7", (422, "invalid_parameter", "seed")),
        ("/faces.zip?format=gif", (422, "invalid_parameter", "format")),
        ("/interpolation.webp", (422, "invalid_parameter", "seeds")),
        ("/interpolation.webp?seeds=1,2&frames=1", (422, "invalid_parameter", "frames")),
        ("/interpolation.webp?seeds=1,2&frames=241", (422, "invalid_parameter", "frames")),
        ("/interpolation.mp4?seeds=1,2&fps=61", (422, "invalid_parameter", "fps")),
        ("/interpolation.mp4?seeds=1,2&frames=240&size=1024", (422, "too_many_pixels", "size")),
        ("/interpolation.zip?seeds=1", (422, "invalid_parameter", "seeds")),
        ("/latents?count=257", (422, "invalid_parameter", "count")),
        ("/directions?count=101", (422, "invalid_parameter", "count")),
    ],
)
def test_what_is_beyond_a_limit_is_named(
    client: Client, url: str, expected: tuple[int, str, str | None]
) -> None:
    assert reason(client.get(url)) == expected


# --- Interpolations ---


def test_interpolation_as_animated_webp(client: Client) -> None:
    answer = client.get("/interpolation.webp?seeds=1,2,3&frames=5&fps=10&size=54")
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as read:
        assert (read.size, read.n_frames) == ((54, 54), 5)
        read.seek(2)
        second = images.resize(images.decode(client.get("/face.png?seed=2").content), 54)
        assert np.abs(np.asarray(read.convert("RGB")).astype(int) - second).mean() < 12
        assert read.info["duration"] == 100


def test_interpolation_as_mp4(client: Client, tmp_path: Any) -> None:
    answer = client.get("/interpolation.mp4?seeds=1,2&frames=7&fps=10")
    assert answer.headers["content-type"] == "video/mp4"
    file = tmp_path / "faces.mp4"
    file.write_bytes(answer.content)
    video = cv2.VideoCapture(str(file))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 7
    _, first = video.read()
    expected = images.decode(client.get("/face.png?seed=1").content).astype(int)
    assert np.abs(cv2.cvtColor(first, cv2.COLOR_BGR2RGB) - expected).mean() < 12


def test_mp4_without_an_encoder_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "CODECS", ("none",))
    answer = client.get("/interpolation.mp4?seeds=1,2&frames=2")
    assert reason(answer) == (501, "unsupported", None)
    assert "no encoder" in answer.json()["message"]


def test_interpolation_as_files(client: Client, model: FakeModel) -> None:
    answer = client.get("/interpolation.zip?seeds=1,2,3&frames=5")
    found = files(answer)
    assert list(found) == [f"frame-000{i}.png" for i in range(5)]
    latents = path(np.stack([noise(seed) for seed in (1, 2, 3)]), np.linspace(0, 2, 5))
    for name, latent in zip(found, latents, strict=True):
        np.testing.assert_array_equal(images.decode(found[name]), rendered(model, latent))
    assert images.read_metadata(found["frame-0003.png"])["at"] == "1.5"


# --- Latents ---


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


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


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
    client: Client, model: FakeModel, array: np.ndarray[Any, Any]
) -> None:
    answer = client.request("POST", "/latents?format=npy", content=npy(array), headers=NPY)
    expected = model.render(np.stack([noise(i) for i in range(3)]))
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
    found = files(client.request("POST", f"/latents?format={format}", content=three, headers=JSON))
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
        (of(1, 100), {}, (415, "unsupported_media_type")),
        (of(1, 100), PNG, (415, "unsupported_media_type")),
    ],
)
def test_wrong_latents_are_refused(
    client: Client, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = client.request("POST", "/latents", content=body, headers=headers)
    assert reason(answer)[:2] == expected


def test_latents_of_too_many_pixels_are_refused(client: Client) -> None:
    answer = client.request("POST", "/latents?size=1024", content=of(200, 100), headers=NPY)
    assert reason(answer) == (422, "too_many_pixels", "size")
