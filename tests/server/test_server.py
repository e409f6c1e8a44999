# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server, in process and as a real process on a free port."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffgan import _core, images
from ffgan.errors import ServerError, UsageError
from ffgan.latent import MAX_SEED, noise
from ffgan.model import Model, save_model
from ffgan.server import Settings, create_app, serve

FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
PAGES = ["/", "/get_image", "/docs"]
WAIT_SECONDS = 60


class FakeModel(Model):
    """What the server asks of a model, without a network: pixels that only the latent decides.

    No face is a candidate, so a search takes all its tries. `gate` holds back every batch until it
    is set; `announce` prints a line when a batch begins; `drawn` has every latent there was.
    """

    def __init__(
        self, *, hash: str = "0123abcd" * 8, delay: float = 0.0, announce: bool = False
    ) -> None:
        made = np.random.default_rng(0)
        self.hash = hash
        self.threshold = 0.25
        self.delay = delay
        self.announce = announce
        self.gate = threading.Event()
        self.gate.set()
        self.drawn: list[np.ndarray[Any, Any]] = []
        self.parameters = {
            "generator.conv1.weight": made.standard_normal((100, 512, 4, 4)).astype(np.float32),
            "generator.norm1.weight": np.ones(512, np.float32),
            "generator.norm1.running_var": np.ones(512, np.float32),
        }
        self._direction_names = {1: ("dark", "light")}

    def render(self, latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        self.drawn.extend(latents)
        if self.announce:
            print("drawing", flush=True)
        time.sleep(self.delay)
        assert self.gate.wait(WAIT_SECONDS)
        pixels = np.clip(latents[:, :81] * 60 + 128, 0, 255).astype(np.uint8).reshape(-1, 9, 9, 1)
        return np.kron(pixels, np.ones((1, 18, 18, 3), np.uint8))

    def score(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full(len(images), -1.5, np.float32)


class Client:
    """Requests to an application in this process."""

    def __init__(self, app: Any, *, raise_errors: bool = True) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=raise_errors)

    def request(self, method: str, url: str | httpx.URL, **options: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://ffgan"
            ) as client:
                return await client.request(method, url, **options)

        return asyncio.run(request())

    def get(self, url: str | httpx.URL, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def head(self, url: str) -> httpx.Response:
        return self.request("HEAD", url)


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def client(model: FakeModel) -> Client:
    return ready(create_app(model, Settings(tries=3)))


def ready(app: Any) -> Client:
    client = Client(app)
    until(lambda: client.get("/health/ready").status_code == 200)
    return client


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def data_uris(text: str) -> list[bytes]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", text)
    return [base64.b64decode(data) for data in found]


# --- The pages ---


@pytest.mark.parametrize("path", PAGES)
def test_page_needs_nothing_inline_and_no_other_host(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    links = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert links
    for link in links:
        if link.startswith("data:"):
            continue
        assert "//" not in link
        # Relative, so that the pages also work below a prefix of a reverse proxy.
        assert not link.startswith("/")
        assert client.get(f"/{link.removeprefix('./')}").status_code == 200


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/static/page.js", "text/javascript; charset=utf-8"),
        ("/static/view.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/favicon.ico", "image/svg+xml"),
    ],
)
def test_static_files_are_revalidated(client: Client, path: str, media_type: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_get_image_works_without_javascript(client: Client, model: FakeModel) -> None:
    answer = client.get("/get_image")
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert re.search(r'<form[^>]*action="get_image".*<button[^>]*>Regenerate<', answer.text, re.S)
    (file,) = data_uris(re.findall(r'<a [^>]*href="get_image"[^>]*>.*?</a>', answer.text, re.S)[0])
    assert images.decode(file).shape == (162, 162, 3)
    assert client.get("/get_image").text != answer.text
    assert len(model.drawn) == 2 * 3


def test_get_raw_image_is_a_data_uri(client: Client) -> None:
    answer = client.get("/get_raw_image")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    (file,) = data_uris(answer.text)
    assert answer.text == f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
    assert images.decode(file).shape == (162, 162, 3)
    seed = answer.headers["x-ffgan-seed"]
    assert client.get("/face.jpg", params={"seed": seed}).content == file


def test_docs_name_every_endpoint_and_parameter(client: Client) -> None:
    description = client.get("/openapi.json").json()
    page = client.get("/docs").text
    assert {"/face.png", "/face.jpg", "/face.webp", "/get_image", "/get_raw_image"} <= set(
        description["paths"]
    )
    for path, operations in description["paths"].items():
        assert f">{path}<" in page
        for parameter in next(iter(operations.values())).get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in page
    assert f"integer, 0 to {MAX_SEED}" in page


# --- Faces ---


@pytest.mark.parametrize("format", FORMATS)
def test_face_is_the_models_in_every_format(client: Client, model: FakeModel, format: str) -> None:
    answer = client.get(f"/face.{format}", params={"seed": 7})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FORMATS[format]
    assert answer.headers["x-ffgan-seed"] == "7"
    assert float(answer.headers["x-ffgan-score"]) == -1.5
    assert answer.headers["x-ffgan-tries"] == "3"
    assert answer.headers["content-disposition"] == f'inline; filename="ffgan-7.{format}"'
    drawn = model.face(7).image
    difference = np.abs(images.decode(answer.content).astype(int) - drawn.astype(int))
    assert difference.mean() <= (0 if format == "png" else 12)
    origin = images.read_metadata(answer.content)
    assert (origin["seed"], origin["tries"], origin["model"]) == ("7", "3", model.hash)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [16, 150, 1024])
def test_size_is_the_width_and_height(client: Client, format: str, size: int) -> None:
    answer = client.get(f"/face.{format}", params={"seed": 1, "size": size})
    assert images.decode(answer.content).shape == (size, size, 3)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("seed", [0, 2**53 + 1, MAX_SEED])
def test_same_seed_same_bytes(client: Client, format: str, seed: int) -> None:
    first, second = (client.get(f"/face.{format}", params={"seed": seed}) for _ in range(2))
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["x-ffgan-seed"] == str(seed)


@pytest.mark.parametrize("format", FORMATS)
def test_without_seed_it_is_random_and_says_which(client: Client, format: str) -> None:
    first, second = (client.get(f"/face.{format}") for _ in range(2))
    assert first.headers["cache-control"] == "no-store"
    assert "etag" not in first.headers
    assert first.headers["x-ffgan-seed"] != second.headers["x-ffgan-seed"]
    seed = first.headers["x-ffgan-seed"]
    assert client.get(f"/face.{format}", params={"seed": seed}).content == first.content


def test_quality_decides_the_size_of_the_file(client: Client) -> None:
    for format in ("jpg", "webp"):
        sizes = [
            len(client.get(f"/face.{format}", params={"seed": 1, "quality": quality}).content)
            for quality in (10, 100)
        ]
        assert sizes[0] < sizes[1]


def test_request_overrides_the_servers_search(model: FakeModel) -> None:
    client = ready(create_app(model, Settings(tries=4)))
    assert client.get("/face.png?seed=1").headers["x-ffgan-tries"] == "4"
    assert client.get("/face.png?seed=1&tries=9").headers["x-ffgan-tries"] == "9"
    model.drawn.clear()
    answer = client.get("/face.png?seed=1&tries=9&threshold=-2.5&truncation=0.5")
    assert answer.headers["x-ffgan-tries"] == "1"
    np.testing.assert_array_equal(model.drawn, [noise(1) / 2])
    lenient = ready(create_app(model, Settings(threshold=-1.75)))
    assert lenient.get("/face.png?seed=1").headers["x-ffgan-tries"] == "1"


# --- Caching ---


def test_not_modified_is_answered_without_inference(client: Client, model: FakeModel) -> None:
    tag = client.get("/face.png?seed=3").headers["etag"]
    drawn = len(model.drawn)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get("/face.png?seed=3", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert "immutable" in answer.headers["cache-control"]
    assert len(model.drawn) == drawn
    assert client.get("/face.png?seed=3", headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.get("/face.png", headers={"If-None-Match": "*"}).status_code == 200


def test_whatever_decides_the_bytes_decides_the_tag() -> None:
    def tag(path: str, model: FakeModel | None = None, **settings: Any) -> str:
        app = create_app(model or FakeModel(), Settings(**{"tries": 3} | settings))
        return ready(app).head(path).headers["etag"]

    tags = [
        tag("/face.png?seed=1"),
        tag("/face.jpg?seed=1"),
        tag("/face.png?seed=2"),
        tag("/face.png?seed=1&size=100"),
        tag("/face.png?seed=1&truncation=0.5"),
        tag("/face.png?seed=1&tries=2"),
        tag("/face.png?seed=1&threshold=2"),
        tag("/face.png?seed=1&quality=50"),
        tag("/face.png?seed=1", FakeModel(hash="f" * 64)),
        tag("/face.png?seed=1", tries=4),
        tag("/face.png?seed=1&move=0:1"),
        tag("/face.png?seeds=1,2&at=0.5"),
        tag("/face.png?seeds=1,2&at=0.25"),
        tag("/face.png?seed=1", threshold=3.0),
    ]
    assert len(set(tags)) == len(tags)
    # The same thing said in another way.
    assert tag("/face.png?size=162&seed=01&tries=3&threshold=0.25") == tags[0]


# --- Refusals ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("seed", value) for value in ("-1", str(MAX_SEED + 1), "x", "", "1.5", "9" * 5000, "\0")],
        *[("size", value) for value in ("15", "1025", "0", "-162", "1e2", "nan", "")],
        *[("truncation", value) for value in ("-0.1", "2.1", "nan", "inf", "x", "")],
        *[("tries", value) for value in ("0", "101", "-1", "x", "")],
        *[("threshold", value) for value in ("nan", "inf", "-inf", "1e999", "x", "")],
        *[("quality", value) for value in ("0", "101", "x", "")],
        *[("sed", "1"), ("<script>", "1"), ("é\u2028", "1")],
    ],
)
def test_wrong_parameter_is_named(client: Client, model: FakeModel, name: str, value: str) -> None:
    answer = client.get("/face.png", params={name: value})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["reason"], problem["parameter"]) == ("invalid_parameter", name)
    assert problem["message"].startswith(f"{name}: ")
    assert not model.drawn


@settings(max_examples=100, deadline=None)
@given(
    format=st.sampled_from(["png", "jpg", "webp"]),
    parameters=st.dictionaries(
        st.sampled_from(["seed", "size", "truncation", "tries", "threshold", "quality"])
        | st.text(max_size=8),
        st.text(max_size=12)
        | st.integers().map(str)
        | st.floats().map(str)
        | st.sampled_from(["1_0", "0x10", " 7 ", "١٢", "1e308", "-0", "true", "null", "%00"]),
        max_size=4,
    ),
    tag=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
def test_no_parameters_make_the_server_fail(
    shared_client: Client, format: str, parameters: dict[str, str], tag: str
) -> None:
    encodable = {
        name.encode(errors="replace"): value.encode(errors="replace")
        for name, value in parameters.items()
    }
    url = httpx.URL(f"http://testserver/face.{format}", params=encodable)
    answer = shared_client.get(url, headers={"If-None-Match": tag})
    assert answer.status_code in (200, 304, 422)
    if answer.status_code == 422:
        assert answer.json()["reason"] == "invalid_parameter"


@pytest.fixture(scope="module")
def shared_client() -> Client:
    return ready(create_app(FakeModel()))


@pytest.mark.parametrize(
    "path",
    [
        "/face",
        "/face.gif",
        "/face.png/",
        "/get_image/",
        "/index.html",
        "/static/",
        "/static/index.html",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/style.css%00",
        "/%ff%fe",
        "/redoc",
        "/docs/oauth2-redirect",
        "/health",
    ],
)
def test_everything_else_is_not_found(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["reason"] == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(client: Client, model: FakeModel, method: str) -> None:
    answer = client.request(method, "/face.png?seed=1")
    assert answer.status_code == 405
    assert answer.json()["reason"] == "method_not_allowed"
    assert not model.drawn


ANSWERS = [
    *[*PAGES, "/get_raw_image", "/face.png?seed=1", "/face.webp", "/health/live", "/health/ready"],
    *["/openapi.json", "/static/page.js", "/nothing", "/face.png?seed=x"],
]


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_is_guarded_and_for_this_origin_only(client: Client, path: str) -> None:
    headers = client.get(path, headers={"Origin": "http://elsewhere.example"}).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize("path", ANSWERS)
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    varying = {"x-ffgan-seed", "content-length", "content-disposition"}
    get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert set(head.headers) == set(get.headers)
    random = get.headers.get("cache-control") == "no-store" and "x-ffgan-seed" in get.headers
    for name in set(head.headers) - (varying if random else set()):
        assert head.headers[name] == get.headers[name]


def test_error_of_the_model_is_no_secret_and_no_crash(model: FakeModel) -> None:
    def refuse(latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        wrong = bool((latents[0] == noise(1)).all())
        raise UsageError("truncation 1 is too much") if wrong else RuntimeError("secret")

    model.render = refuse  # type: ignore[method-assign]
    client = Client(create_app(model), raise_errors=False)
    until(lambda: client.get("/health/ready").status_code == 200)
    answer = client.get("/face.png?seed=1")
    assert (answer.status_code, answer.json()["message"]) == (422, "truncation 1 is too much")
    answer = client.get("/face.png?seed=2")
    assert (answer.status_code, answer.json()["reason"]) == (500, "failed")
    assert "secret" not in answer.text
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"queue": -1}, {"tries": 0}, {"threshold": float("nan")}, {"batch": 0}],
        *[{"batch_wait": -1.0}, {"max_frames": 1}, {"upload_seconds": 0.0}, {"root_path": "x/"}],
    ],
)
def test_settings_refuse_wrong_values(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Settings(**wrong)


# --- Loading and load ---


def test_not_ready_until_the_model_is_loaded(model: FakeModel) -> None:
    loaded = threading.Event()

    def load() -> FakeModel:
        assert loaded.wait(WAIT_SECONDS)
        return model

    client = Client(create_app(load))
    assert client.get("/health/live").status_code == 200
    assert client.get("/").status_code == 200
    for path in ("/health/ready", "/face.png", "/face.png?seed=1", "/get_image"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (503, "loading")
        assert int(answer.headers["retry-after"]) >= 1
    loaded.set()
    until(lambda: client.get("/health/ready").status_code == 200)
    assert client.get("/face.png?seed=1").status_code == 200


def test_failed_load_is_told() -> None:
    def load() -> FakeModel:
        raise OSError("gone")

    client = Client(create_app(load))
    until(lambda: client.get("/health/ready").json()["reason"] == "failed")
    assert client.get("/face.png").status_code == 503
    assert client.get("/health/live").status_code == 200


def in_loop(app: Any, story: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def tell() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://ffgan") as client:
            await asyncio.wait_for(story(client), WAIT_SECONDS)

    asyncio.run(tell())


def test_full_queue_answers_503_and_recovers(model: FakeModel) -> None:
    model.gate.clear()

    async def story(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        tag = (await client.get("/face.png?seed=1", headers={"If-None-Match": "*"})).headers["etag"]
        waiting = [asyncio.create_task(client.get(f"/face.png?seed={seed}")) for seed in range(3)]
        while (await client.get("/health/ready")).status_code == 200:
            await asyncio.sleep(0.01)
        for path in ("/face.jpg?seed=9", "/get_image", "/get_raw_image", "/health/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["cache-control"] == "no-store"
        # What needs no inference is still answered.
        known = await client.get("/face.png?seed=1", headers={"If-None-Match": tag})
        assert known.status_code == 304
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/health/live")).status_code == 200
        model.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 3
        assert (await client.get("/face.jpg?seed=9")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200

    in_loop(create_app(model, Settings(batch=1, queue=2)), story)


def test_client_that_hung_up_is_not_drawn_for(model: FakeModel) -> None:
    model.gate.clear()
    app = create_app(model, Settings(batch=1, queue=5, tries=1))

    async def hang_up_on(seed: int) -> int:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            **{"type": "http", "method": "GET", "path": "/face.png", "headers": []},
            "query_string": f"seed={seed}".encode(),
        }
        await app(scope, receive, send)
        return int(sent[0]["status"])

    async def story(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        first = asyncio.create_task(client.get("/face.png?seed=1"))
        while not model.drawn:
            await asyncio.sleep(0.01)
        # More than the queue holds: each must have given its place back.
        for seed in range(100, 120):
            assert await hang_up_on(seed) == 499
        last = asyncio.create_task(client.get("/face.png?seed=2"))
        await asyncio.sleep(0.05)
        model.gate.set()
        assert [(await answer).status_code for answer in (first, last)] == [200, 200]
        np.testing.assert_array_equal(model.drawn, [noise(1), noise(2)])

    in_loop(app, story)


# --- The socket ---


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_taken_port_is_one_line_before_the_model_is_loaded() -> None:
    # There is no such model: the complaint about the port must come first.
    with taken_port() as port, pytest.raises(ServerError) as caught:
        serve("/no/such/model.safetensors", port=port)
    assert str(caught.value) == f"port {port} on 127.0.0.1 is taken; try `--port {port + 1}`"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "a" * 300, "a..b", "ü" * 80])
def test_unknown_host_is_one_line(model: FakeModel, host: str) -> None:
    with pytest.raises(ServerError, match=r"is unknown; try `--host 127\.0\.0\.1`") as caught:
        serve(model, host=host, port=0)
    assert "\n" not in str(caught.value)


def test_foreign_address_is_one_line(model: FakeModel) -> None:
    # An address of the block that is kept for documentation.
    with pytest.raises(ServerError, match=r"192\.0\.2\.1 is not an address of this machine"):
        serve(model, host="192.0.2.1", port=0)


def test_privileged_port_is_one_line(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may take every port, so the refusal is made here.
    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ServerError, match=r"port 80 needs privileges.*`--port 9190`"):
        serve(model, port=80)


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_port_is_one_line(model: FakeModel, port: int) -> None:
    with pytest.raises(UsageError, match=f"port {port} is outside"):
        serve(model, port=port)


def test_unknown_log_level_is_one_line(model: FakeModel) -> None:
    with pytest.raises(UsageError, match="'loud' is unknown"):
        serve(model, port=0, log_level="loud")


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )


def test_web_framework_is_imported_by_the_first_call_only() -> None:
    done = run_python(
        """
        import sys, ffgan.server
        print([name for name in ("fastapi", "starlette", "uvicorn") if name in sys.modules])
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_missing_framework_is_one_line_with_the_command() -> None:
    done = run_python(
        """
        import sys
        sys.modules["fastapi"] = None
        from ffgan import Error
        from ffgan.server import serve
        try:
            serve()
        except Error as error:
            print(error)
        """
    )
    assert done.stderr == ""
    assert "needs fastapi" in done.stdout
    assert "pip install fastapi uvicorn prometheus-client" in done.stdout


# --- The process ---

PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from test_server import FakeModel
from ffgan.server import Settings, serve
try:
    serve(FakeModel(**{model!r}), port=0, grace={grace}, settings=Settings(**{settings!r}))
except KeyboardInterrupt:
    sys.exit(130)
"""


class Server:
    """`serve` in a process of its own; `url` is what its first line says."""

    def __init__(self, model: dict[str, Any], settings: dict[str, Any], grace: int = 10) -> None:
        folder = str(Path(__file__).parent)
        program = PROGRAM.format(folder=folder, model=model, settings=settings, grace=grace)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.line()
        said = re.fullmatch(r"ffgan: serving (http://[0-9.]+:\d+) \(Ctrl\+C stops\)\n", line)
        assert said, line + (self.process.stderr.read() if self.process.stderr else "")
        self.url = said[1]

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=WAIT_SECONDS, **options)

    def end(self) -> tuple[int, str]:
        """Exit status and stderr, once it has ended."""
        _, errors = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, errors


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(model: dict[str, Any] | None = None, grace: int = 10, **settings: Any) -> Server:
        servers.append(Server(model or {}, {"tries": 1} | settings, grace))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.communicate()


def test_twenty_threads_get_the_same_bytes(start: Callable[..., Server]) -> None:
    server = start({"delay": 0.02})
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(server.get, ["/face.png?seed=5"] * 60))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].content == server.get("/face.png?seed=5").content


def test_threads_get_the_faces_of_a_real_model(tmp_path: Path) -> None:
    trainer = _core.Trainer(seed=1)
    path = tmp_path / "model.safetensors"
    save_model(path, trainer.parameters("averaged"), trainer.parameters("discriminator"), {})
    model = Model.load(path)
    client = ready(create_app(lambda: Model.load(path)))
    seeds = [0, 1, MAX_SEED, 1, 0, 1]
    with concurrent.futures.ThreadPoolExecutor(len(seeds)) as pool:
        answers = pool.map(client.get, [f"/face.png?tries=1&seed={seed}" for seed in seeds])
        for seed, answer in zip(seeds, answers, strict=True):
            drawn = model.face(seed, tries=1)
            np.testing.assert_array_equal(images.decode(answer.content), drawn.image)
            assert answer.headers["x-ffgan-score"] == f"{drawn.score:.4f}"
            assert images.read_metadata(answer.content)["model"] == model.hash


def test_burst_beyond_the_queue_is_told_to_come_back(start: Callable[..., Server]) -> None:
    server = start({"delay": 0.3}, queue=1, batch=2)
    burst = 2 * (os.cpu_count() or 1) + 10
    with concurrent.futures.ThreadPoolExecutor(burst) as pool:
        answers = list(pool.map(server.get, [f"/face.jpg?seed={i}" for i in range(burst)]))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert all("retry-after" in answer.headers for answer in refused)
    assert {answer.status_code for answer in answers} == {200, 503}
    assert server.get("/face.jpg?seed=1").status_code == 200


def test_page_is_answered_while_every_core_draws(start: Callable[..., Server]) -> None:
    server = start({"delay": 3.0, "announce": True})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.get, "/face.png?seed=1")
        assert server.line() == "drawing\n"
        assert server.get("/").status_code == 200
        assert server.get("/health/live").status_code == 200
        assert not slow.done()
        assert slow.result().status_code == 200


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)]
)
def test_signal_finishes_the_request_in_flight(
    start: Callable[..., Server], number: signal.Signals, status: int
) -> None:
    server = start({"delay": 1.0, "announce": True})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.get, "/face.png?seed=1")
        assert server.line() == "drawing\n"
        server.process.send_signal(number)
        answer = slow.result()
    assert answer.status_code == 200
    assert images.decode(answer.content).shape == (162, 162, 3)
    assert server.end() == (status, "")
    with pytest.raises(httpx.ConnectError):
        server.get("/")


def test_request_beyond_the_grace_is_told_so(start: Callable[..., Server]) -> None:
    server = start({"delay": 4.0, "announce": True}, grace=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.get, "/face.png?seed=1")
        assert server.line() == "drawing\n"
        server.process.terminate()
        answer = slow.result()
    assert (answer.status_code, answer.json()["reason"]) == (503, "stopping")
    assert "Traceback" not in server.end()[1]


def test_second_server_on_the_port_is_refused(start: Callable[..., Server]) -> None:
    port = httpx.URL(start().url).port
    with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 is taken"):
        serve(FakeModel(), port=port or 0)


def test_port_is_free_again_at_once(start: Callable[..., Server]) -> None:
    server = start()
    server.get("/face.png?seed=1")
    server.process.terminate()
    server.end()
    port = httpx.URL(server.url).port
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /face.png?seed=\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /face.png?seed=%FF%FE HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%c0%ae%c0%ae/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://other/face.png?seed=x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /face.png?seed=1 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \xff\r\n\r\n",
        b"GET /face.png?seed=x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_hostile_bytes_do_not_make_it_fail(shared_server: Server, request_bytes: bytes) -> None:
    url = httpx.URL(shared_server.url)
    with socket.create_connection((url.host, url.port or 0), timeout=WAIT_SECONDS) as connection:
        connection.sendall(request_bytes)
        status = connection.makefile("rb").readline().split()[1]
    assert status.startswith((b"2", b"3", b"4")), status
    assert shared_server.get("/health/ready").status_code == 200


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    server = Server({}, {"tries": 3})
    yield server
    server.process.kill()
    server.process.communicate()


def test_nothing_is_written_to_disk(
    start: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = start()
    for path in ANSWERS:
        server.get(path)
    assert json.loads(server.get("/health/ready").text) == {"status": "ready"}
    assert list(tmp_path.rglob("*")) == []
