# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as processes: clients that misbehave, signals, models that change, workers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from test_server import WAIT_SECONDS, FakeModel, Server, until

from ffgan import _core, images
from ffgan.errors import ServerError, UsageError
from ffgan.latent import noise
from ffgan.model import Model, save_model
from ffgan.server import Settings, serve
from ffgan.server.app import create_app
from ffgan.server.run import (
    EndingServer,
    allow_open_files,
    configuration,
    listen,
    listen_together,
)

# --- Clients that take their time, or too much room ---


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
    server.process.kill()
    server.process.communicate()


def connect(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 0), timeout=WAIT_SECONDS)


@pytest.mark.parametrize("begin", [b"", b"GET /face.png HTTP/1.1\r\nHost", b"G"])
def test_a_request_that_does_not_come_is_not_waited_for(strict: Server, begin: bytes) -> None:
    with connect(strict) as connection:
        connection.sendall(begin)
        assert connection.recv(1000) == b""


def test_a_second_request_that_drips_is_not_waited_for(strict: Server) -> None:
    with connect(strict) as connection:
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


def test_an_upload_that_stops_is_not_waited_for(strict: Server) -> None:
    head = (
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 90000\r\n"
    )
    with connect(strict) as connection:
        connection.sendall(head + b"\r\n" + bytes(100))
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_hundred_megabytes_are_not_read(strict: Server) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    with connect(strict) as connection:
        connection.sendall(head + b"Content-Length: 100000000\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 413")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(bytes(1_000_000))
    # Without a length, by chunks.
    with connect(strict) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"f4240\r\n" + bytes(1_000_000) + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert connection.recv(10_000).startswith(b"HTTP/1.1 413")
    assert strict.get("/health/ready").status_code == 200


def test_a_client_that_does_not_read_loses_its_answer(strict: Server) -> None:
    def taken() -> float:
        found = re.search(r"^ffgan_queue_taken (\S+)$", strict.get("/metrics").text, re.MULTILINE)
        assert found
        return float(found[1])

    with connect(strict) as connection:
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


def test_a_client_that_leaves_gives_its_place_back(strict: Server) -> None:
    def begins() -> bool:
        with connect(strict) as connection:
            connection.sendall(
                b"GET /faces.zip?count=1000&size=1024&seed=1 HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            return connection.recv(100).startswith(b"HTTP/1.1 200")

    # More than there is room for: each must have given its places back.
    for _ in range(10):
        until(begins)
    until(lambda: "ffgan_queue_taken 0.0" in strict.get("/metrics").text)


def test_a_thousand_connections_at_once_are_all_answered(strict: Server) -> None:
    allow_open_files()  # for this side of the connections
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(strict)) for _ in range(1000)]
        for i, connection in enumerate(connections):
            connection.sendall(f"GET /face.png?seed={i} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answers = [connection.recv(100_000)[:12] for connection in connections]
    assert set(answers) <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
    assert answers.count(b"HTTP/1.1 200") >= 32
    assert strict.get("/health/ready").status_code == 200
    assert strict.process.poll() is None


# --- The model file, while it is served ---


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two model files, of untrained networks."""
    folder, files = tmp_path_factory.mktemp("models"), []
    for seed in (1, 2):
        trainer = _core.Trainer(seed=seed)
        trainer.estimate_statistics(np.stack([noise(i) for i in range(4)]))
        networks = trainer.parameters("averaged"), trainer.parameters("discriminator")
        files.append(save_model(folder / f"{seed}.safetensors", *networks, {}))
    return files


class Command:
    """`python -m ffgan web` with a model file; its output is in files beside that."""

    def __init__(self, folder: Path, model: Path, *options: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "ffgan", "web", "--port", "0", "--tries", "1"),
                    *("--model", str(model), *options),
                ],
                stdout=out,
                stderr=err,
            )

    def ready(self) -> Command:
        until(lambda: "serving" in self.out.read_text() or self.process.poll() is not None)
        said = re.search(r"serving (http://\S+)", self.out.read_text())
        assert said, self.err.read_text()
        self.url = said[1]
        return self

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=WAIT_SECONDS)

    def model(self) -> str:
        return images.read_metadata(self.get("/face.png?seed=1").content)["model"]

    def children(self) -> list[int]:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(line) for line in found.stdout.split()]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    commands: list[Command] = []

    def start(model: Path, *options: str) -> Command:
        commands.append(Command(tmp_path, model, *options))
        return commands[-1]

    yield start
    for each in commands:
        each.process.kill()
        each.process.wait()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie that its new parent has not collected is gone too.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


class Load:
    """Requests without a pause, from several threads, each over one connection."""

    def __init__(self, url: str, threads: int = 4) -> None:
        self.statuses: list[int] = []
        self.errors: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url, i)) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str, number: int) -> None:
        with httpx.Client(base_url=url, timeout=WAIT_SECONDS) as client:
            seed = number
            while not self._stop.is_set():
                seed += 10
                try:
                    answer = client.get(f"/face.png?seed={seed}")
                    images.decode(answer.content)
                    self.statuses.append(answer.status_code)
                except Exception as error:
                    self.errors.append(error)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_new_model_comes_without_a_lost_request(
    command: Callable[..., Command], models: list[Path], tmp_path: Path, workers: int
) -> None:
    served = tmp_path / "served.safetensors"
    served.write_bytes(models[0].read_bytes())
    server = command(served, "--workers", str(workers)).ready()
    old, new = (Model.load(path).hash for path in models)
    assert server.model() == old
    load = Load(server.url)
    try:
        # Replaced, it changes nothing by itself.
        fresh = tmp_path / "fresh"
        fresh.write_bytes(models[1].read_bytes())
        fresh.replace(served)
        assert server.model() == old
        server.process.send_signal(signal.SIGHUP)
        until(lambda: f"the model is now {new[:16]}" in server.out.read_text())
        until(lambda: {server.model() for _ in range(8)} == {new})
        # Damaged or gone, the old one stays.
        served.write_bytes(b"nonsense")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.err.read_text().count("the old model stays") == 1)
        served.unlink()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.err.read_text().count("the old model stays") == 2)
        assert {server.model() for _ in range(8)} == {new}
        asked = len(load.statuses)
        until(lambda: len(load.statuses) > asked + 4)
    finally:
        load.stop()
    assert not load.errors
    assert set(load.statuses) == {200}


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_ends_what_was_begun(
    command: Callable[..., Command], models: list[Path], workers: int
) -> None:
    server = command(models[0], "--workers", str(workers)).ready()
    children = server.children()
    load = Load(server.url)
    try:
        until(lambda: len(load.statuses) > 20)
        server.process.terminate()
        assert server.process.wait(WAIT_SECONDS) == 128 + signal.SIGTERM
    finally:
        load.stop()
    assert set(load.statuses) <= {200, 503}
    # Answers are whole: what fails is a connection that was not accepted, or one between two
    # requests, which a server may close at any time.
    for error in load.errors:
        assert isinstance(error, httpx.TransportError)
        assert "incomplete" not in str(error) and "peer closed" not in str(error)
    assert all(gone(child) for child in children)
    assert server.err.read_text() == ""


@pytest.mark.parametrize("turns", range(6))
def test_a_connection_that_comes_as_the_end_begins_does_not_hold_it(
    turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(head_seconds=WAIT_SECONDS)
    server = EndingServer(configuration(create_app(FakeModel(), settings), "error", 1.0, settings))

    async def end() -> None:
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        with listen("127.0.0.1", 0) as listener:
            await server.startup([listener])
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


# --- Workers ---


def test_workers_share_the_port_and_are_replaced(
    command: Callable[..., Command], models: list[Path]
) -> None:
    server = command(models[0], "--workers", "2").ready()
    first = server.children()
    assert len(first) == 2
    faces = [server.get(f"/face.png?seed={seed}") for seed in range(30)]
    assert {face.status_code for face in faces} == {200}
    text = server.get("/metrics").text
    # Both count, and whichever is asked tells of both.
    assert 'ffgan_requests_total{method="GET",path="/face.png",status="200"} 30.0' in text
    assert "ffgan_face_tries_count 30.0" in text
    os.kill(first[0], signal.SIGKILL)
    until(lambda: len(set(server.children()) - set(first)) == 1)
    until(lambda: [server.get("/health/ready").status_code for _ in range(8)] == [200] * 8)
    assert "a worker ended with status -9; another takes its place" in server.err.read_text()
    server.process.terminate()
    assert server.process.wait(WAIT_SECONDS) == 128 + signal.SIGTERM
    assert all(gone(child) for child in first)


def test_workers_do_not_outlive_a_supervisor_that_is_killed(
    command: Callable[..., Command], models: list[Path]
) -> None:
    server = command(models[0], "--workers", "2").ready()
    children = server.children()
    assert len(children) == 2
    server.process.kill()
    server.process.wait()
    until(lambda: all(gone(child) for child in children))
    port = httpx.URL(server.url).port or 0
    listen("127.0.0.1", port).close()


def test_a_model_that_workers_cannot_load_is_one_line(
    command: Callable[..., Command], tmp_path: Path
) -> None:
    server = command(tmp_path / "none.safetensors", "--workers", "2")
    assert server.process.wait(WAIT_SECONDS) == 2
    assert server.err.read_text().count("\n") == 1
    assert "does not exist" in server.err.read_text()
    with pytest.raises(UsageError, match="several workers need a model file"):
        serve(FakeModel(), port=0, workers=2)


def test_listening_together_is_not_listening_with_strangers() -> None:
    together = listen_together("127.0.0.1", 0, 3)
    try:
        port = together[0].getsockname()[1]
        assert {listener.getsockname()[1] for listener in together} == {port}
        with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 is taken"):
            listen_together("127.0.0.1", port, 2)
        with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 is taken"):
            listen("127.0.0.1", port)
    finally:
        for listener in together:
            listener.close()


def test_wrong_settings_of_a_process_are_one_line() -> None:
    with pytest.raises(UsageError, match="workers 0"):
        serve(FakeModel(), port=0, workers=0)
    for grace in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="grace"):
            serve(FakeModel(), port=0, grace=grace, settings=Settings())
