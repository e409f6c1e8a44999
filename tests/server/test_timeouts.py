# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that are slow, hostile or many; and connections made during the shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import re
import socket
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from support.server import (
    FakeModel,
)
from support.server_process import Server
from support.waiting import WAIT_SECONDS, until

from ffgan.server import Settings, create_app
from ffgan.server.http.timeouts import PART_BYTES, WriteTimeoutMiddleware
from ffgan.server.run import GracefulServer, allow_open_files, configuration, listen


@pytest.fixture(scope="module")
def strict() -> Iterator[Server]:
    settings = {
        **{"tries": 1, "batch": 4, "queue": 28, "max_upload": 100_000, "access_log": True},
        **{"head_seconds": 1.0, "upload_seconds": 1.0, "send_seconds": 1.0},
    }
    server = Server({}, settings)
    # Its access log must not fill the pipe.
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(iter(server.line, "")), daemon=True).start()
    server.lines = lines  # type: ignore[attr-defined]
    yield server
    server.kill()


@pytest.mark.parametrize("begin", [b"", b"GET /face.png HTTP/1.1\r\nHost", b"G"])
@pytest.mark.slow
def test_a_request_that_does_not_come_is_not_waited_for(strict: Server, begin: bytes) -> None:
    with strict.connect() as connection:
        connection.sendall(begin)
        assert connection.recv(1000) == b""


@pytest.mark.slow
def test_a_second_request_that_drips_is_not_waited_for(strict: Server) -> None:
    with strict.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionError):
            for _ in range(WAIT_SECONDS * 5):
                connection.sendall(b"G")
                time.sleep(0.2)
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if connection.recv(1000) == b"":
                        return
                connection.setblocking(True)
            pytest.fail("the connection stayed open")


@pytest.mark.slow
def test_an_upload_that_stops_is_not_waited_for(strict: Server) -> None:
    head = (
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 90000\r\n"
    )
    with strict.connect() as connection:
        connection.sendall(head + b"\r\n" + bytes(100))
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


@pytest.mark.slow
def test_a_hundred_megabytes_are_not_read(strict: Server) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    with strict.connect() as connection:
        connection.sendall(head + b"Content-Length: 100000000\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 413")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(bytes(1_000_000))
    # Without a length, by chunks.
    with strict.connect() as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"f4240\r\n" + bytes(1_000_000) + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert connection.recv(10_000).startswith(b"HTTP/1.1 413")
    assert strict.get("/health/ready").status_code == 200


@pytest.mark.slow
def test_a_client_that_does_not_read_loses_its_answer(strict: Server) -> None:
    def taken() -> float:
        found = re.search(r"^ffgan_queue_taken (\S+)$", strict.get("/metrics").text, re.MULTILINE)
        assert found
        return float(found[1])

    with strict.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(
            b"GET /faces.tar?count=1000&size=1024&seed=1 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        until(lambda: taken() == 4)
        until(lambda: taken() == 0)
    until(lambda: any("/faces.tar" in line for line in strict.lines))  # type: ignore[attr-defined]
    line = next(line for line in strict.lines if "/faces.tar" in line)  # type: ignore[attr-defined]
    assert json.loads(line)["complete"] is False


@pytest.mark.slow
def test_a_client_that_leaves_gives_its_place_back(strict: Server) -> None:
    def begins() -> bool:
        with strict.connect() as connection:
            connection.sendall(
                b"GET /faces.zip?count=1000&size=1024&seed=1 HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            return connection.recv(100).startswith(b"HTTP/1.1 200")

    # More than there is room for: each must have given its places back.
    for _ in range(10):
        until(begins)
    until(lambda: "ffgan_queue_taken 0.0" in strict.get("/metrics").text)


@pytest.mark.slow
def test_a_thousand_connections_at_once_are_all_answered(strict: Server) -> None:
    allow_open_files()  # for this side of the connections
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(strict.connect()) for _ in range(1000)]
        for i, connection in enumerate(connections):
            connection.sendall(f"GET /face.png?seed={i} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answers = [connection.recv(100_000)[:12] for connection in connections]
    assert set(answers) <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
    assert answers.count(b"HTTP/1.1 200") >= 32 - 14  # the rest is for other clients
    assert strict.get("/health/ready").status_code == 200
    assert strict.process.poll() is None


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
@pytest.mark.slow
def test_hostile_bytes_do_not_make_it_fail(strict: Server, request_bytes: bytes) -> None:
    with strict.connect() as connection:
        connection.sendall(request_bytes)
        status = connection.makefile("rb").readline().split()[1]
    assert status.startswith((b"2", b"3", b"4")), status
    assert strict.get("/health/ready").status_code == 200


# --- The protocol and the middleware by themselves ---


@contextlib.asynccontextmanager
async def running(
    settings: Settings, model: FakeModel | None = None
) -> AsyncIterator[tuple[GracefulServer, socket.socket]]:
    """The server in this process and event loop, and its listening socket."""
    app = create_app(model or FakeModel(), settings)
    server = GracefulServer(configuration(app, "error", 0.3, settings))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    with listen("127.0.0.1", 0) as listener:
        await server.startup([listener])
        yield server, listener


@pytest.mark.parametrize("sent", [b"", b"GET /health/live HTTP/1.1\r\nHost"])
def test_headers_that_do_not_come_close_the_connection(sent: bytes) -> None:
    async def wait() -> None:
        async with running(Settings(head_seconds=0.1)) as (server, listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), WAIT_SECONDS) == b""
            writer.close()
            await server.shutdown([listener])

    asyncio.run(wait())


def test_a_request_whose_headers_came_in_time_is_answered() -> None:
    async def ask() -> None:
        async with running(Settings(head_seconds=WAIT_SECONDS)) as (server, listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            for part in (b"GET /health/live HTTP/1.1\r\n", b"Host: x\r\n\r\n"):
                writer.write(part)
                await asyncio.sleep(0.01)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
            await server.shutdown([listener])

    asyncio.run(ask())


def test_a_response_that_is_not_accepted_ends() -> None:
    sent: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": bytes(3 * PART_BYTES)})

    async def send(message: Message) -> None:
        sent.append(len(message["body"]))
        if len(sent) == 2:
            await asyncio.Event().wait()

    async def receive() -> Message:
        raise AssertionError

    middleware = WriteTimeoutMiddleware(app, seconds=0.05)
    with pytest.raises(OSError, match="too slow"):
        asyncio.run(middleware({"type": "http"}, receive, send))
    # A large response goes in parts, each with its own time.
    assert sent == [PART_BYTES, PART_BYTES]


@pytest.mark.parametrize(
    "turns", [0, 1, *(pytest.param(turns, marks=pytest.mark.slow) for turns in range(2, 6))]
)
def test_a_connection_that_comes_as_the_end_begins_does_not_hold_it(
    turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def end() -> None:
        async with running(Settings(head_seconds=WAIT_SECONDS)) as (server, listener):
            with socket.create_connection(listener.getsockname()):
                # It is waiting, accepted, made, or on its way there.
                for _ in range(turns):
                    await asyncio.sleep(0)
                await server.shutdown([listener])
                assert not server.server_state.connections

    with warnings.catch_warnings():
        # asyncio drops, unclosed, what it has accepted but not made when its server is closed.
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(end())
        gc.collect()
    assert not caplog.records


LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


async def head_of_answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
    found = re.search(rb"content-length: (\d+)", head.lower())
    assert found is not None
    await reader.readexactly(int(found[1]))
    return head.lower()


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("parts", [[LIVE], [LIVE[:20], LIVE[20:]]])
def test_a_request_that_comes_as_the_server_ends_is_answered_and_told_to_close(
    before: int, parts: list[bytes]
) -> None:
    async def ask() -> None:
        async with running(Settings(head_seconds=WAIT_SECONDS)) as (server, listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            for _ in range(before):
                writer.write(LIVE)
                assert b"connection: close" not in await head_of_answer(reader)
            ending = asyncio.ensure_future(server.shutdown([listener]))
            for part in parts:
                await asyncio.sleep(0.1)
                writer.write(part)
            head = await head_of_answer(reader)
            assert head.startswith(b"http/1.1 200") and b"connection: close" in head
            assert await reader.read() == b""
            writer.close()
            await ending

    asyncio.run(ask())


def test_what_was_drawn_as_the_server_ends_is_answered_and_told_to_close() -> None:
    async def ask() -> None:
        model = FakeModel()
        model.gate.clear()
        async with running(Settings(tries=1), model) as (server, listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET /face.png?seed=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            while not model.drawn:
                await asyncio.sleep(0.01)
            ending = asyncio.ensure_future(server.shutdown([listener]))
            await asyncio.sleep(0.05)
            model.gate.set()
            head = await head_of_answer(reader)
            assert head.startswith(b"http/1.1 200") and b"connection: close" in head
            writer.close()
            await ending

    asyncio.run(ask())


def test_after_a_response_that_had_begun_the_next_request_is_answered() -> None:
    async def ask() -> None:
        model = FakeModel()
        async with running(Settings(tries=1, batch=1), model) as (server, listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET /faces.tar?seed=1&count=12&size=16 HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
            assert b"connection: close" not in head.lower()
            ending = asyncio.ensure_future(server.shutdown([listener]))
            await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), WAIT_SECONDS)
            writer.write(LIVE)
            assert b"connection: close" in await head_of_answer(reader)
            writer.close()
            await ending

    asyncio.run(ask())


def test_the_installed_uvicorn_is_a_tested_version() -> None:
    """The protocol uses what uvicorn does not document, so its range has an end."""
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    found = re.search(r'"uvicorn>=([0-9.]+),<([0-9.]+)"', pyproject)
    assert found is not None
    least, beyond, installed = (
        tuple(int(part) for part in text.split(".")[:2])
        for text in (*found.groups(), uvicorn.__version__)
    )
    assert least <= installed < beyond
