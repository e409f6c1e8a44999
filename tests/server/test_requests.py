# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as clients, proxies and shells really send them, over a real connection."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator

import pytest
from support.server import FakeModel, ready
from support.server_process import Server

from ffgan.server import create_app


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server({}, {"tries": 1, "max_upload": 100_000})
    yield server
    server.kill()


def told(server: Server, *requests: bytes) -> bytes:
    """All that the server answers until it ends the connection."""
    with server.connect() as connection:
        for request in requests:
            connection.sendall(request)
        parts = []
        while part := connection.recv(100_000):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("target", ["http://x:1/health/live", "HTTPS://y/health/live?z=1"])
def test_a_target_may_be_a_whole_url(server: Server, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert told(server, head.encode()).startswith(b"HTTP/1.1 200")


def test_the_answer_to_an_upload_that_is_refused_arrives(server: Server) -> None:
    """It is not lost to a reset, though the client sends on."""
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nConnection: close\r\n"
    for _ in range(10):
        with server.connect() as connection:
            connection.sendall(head + b"Content-Length: 3000000\r\n\r\n" + bytes(1_000_000))
            time.sleep(0.1)
            connection.sendall(bytes(1_000_000))
            time.sleep(0.1)
            assert connection.recv(100_000).startswith(b"HTTP/1.1 413")


@pytest.mark.slow
def test_a_client_of_five_seconds_does_not_meet_the_servers_end(server: Server) -> None:
    """httpx keeps idle connections for five seconds: the server must keep them for longer."""
    with server.connect() as connection:
        for pause in (6, 0):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                part = connection.recv(10_000)
                assert part
                answer += part
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(pause)


def test_a_coding_that_is_not_taken_is_named() -> None:
    client = ready(create_app(FakeModel()))
    for path in ("/score", "/latents"):
        answer = client.request(
            "POST", path, content=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}
        )
        assert answer.status_code == 415
        assert "Content-Encoding gzip" in answer.json()["message"]
        assert answer.headers["accept-encoding"] == "identity"


def test_json_may_begin_with_windows_mark() -> None:
    client = ready(create_app(FakeModel()))
    content = b"\xef\xbb\xbf" + json.dumps({"latents": [[0.0] * 100]}).encode()
    answer = client.request("POST", "/latents", content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")


def test_if_match_gets_the_body_that_it_names_or_none() -> None:
    client = ready(create_app(FakeModel()))
    url = "/face.png?seed=1"
    tag = client.get(url).headers["etag"]
    for value, status in ((tag, 200), ("*", 200), (f'"a", {tag}', 200), ('"a"', 412)):
        assert client.get(url, headers={"If-Match": value}).status_code == status
    assert client.get(url, headers={"If-Match": f"W/{tag}"}).status_code == 412
    assert client.get("/", headers={"If-Match": '"a"'}).json()["reason"] == "changed"


def test_ranges_of_any_length_are_ranges() -> None:
    client = ready(create_app(FakeModel()))
    url, far = "/face.png?seed=1", "9" * 30
    size = len(client.get(url).content)
    for value, status, length in (
        (f"bytes=5-{far}", 206, size - 5),
        (f"bytes=-{far}", 206, size),
        (f"bytes={far}-", 416, None),
    ):
        answer = client.get(url, headers={"Range": value})
        assert answer.status_code == status
        assert length is None or len(answer.content) == length


def test_errors_say_what_to_do() -> None:
    client = ready(create_app(FakeModel()))
    assert client.get("/face.png?SEED=1").json()["message"].endswith("did you mean seed?")
    assert "a value without a name" in client.get("/face.png?=1").json()["message"]
    assert "/docs lists" in client.get("/face").json()["message"]
    assert client.request("PUT", "/face.png").json()["message"] == "this URL takes GET, HEAD"
