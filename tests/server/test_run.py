# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket, and the server as a process: concurrency, signals, reload."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.server import (
    PATHS,
    FakeModel,
)
from support.server_process import Command, Load, Server
from support.waiting import WAIT_SECONDS, until

from ffgan import images
from ffgan.errors import ServerError, UsageError
from ffgan.model import Model
from ffgan.server import Settings, serve


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


def test_wrong_settings_of_a_process_are_one_line() -> None:
    with pytest.raises(UsageError, match="this server is one process"):
        serve(FakeModel(), port=0, workers=0)
    for grace in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="grace"):
            serve(FakeModel(), port=0, grace=grace, settings=Settings())


def test_the_command_serves_faces_until_sigterm(
    command: Callable[..., Command], models: list[Path]
) -> None:
    server = command(models[0]).ready()
    face = server.get("/face.png?seed=7")
    drawn = Model.load(models[0]).face(7, tries=1).image
    np.testing.assert_array_equal(images.decode(face.content), drawn)
    assert server.get("/").status_code == 200
    server.process.terminate()
    assert server.process.wait(WAIT_SECONDS) == 128 + signal.SIGTERM
    assert server.err.read_text() == "ffgan: stopped by SIGTERM\n"


@pytest.mark.slow
def test_twenty_threads_get_the_same_bytes(start: Callable[..., Server]) -> None:
    server = start({"delay": 0.02})
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(server.get, ["/face.png?seed=5"] * 60))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].content == server.get("/face.png?seed=5").content


@pytest.mark.slow
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


@pytest.mark.slow
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
@pytest.mark.slow
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


@pytest.mark.slow
def test_request_beyond_the_grace_is_told_so(start: Callable[..., Server]) -> None:
    server = start({"delay": 4.0, "announce": True}, grace=1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.get, "/face.png?seed=1")
        assert server.line() == "drawing\n"
        server.process.terminate()
        answer = slow.result()
    assert (answer.status_code, answer.json()["reason"]) == (503, "stopping")
    assert "Traceback" not in server.end()[1]


@pytest.mark.slow
def test_second_server_on_the_port_is_refused(start: Callable[..., Server]) -> None:
    port = httpx.URL(start().url).port
    with pytest.raises(ServerError, match=f"port {port} on 127.0.0.1 is taken"):
        serve(FakeModel(), port=port or 0)


@pytest.mark.slow
def test_port_is_free_again_at_once(start: Callable[..., Server]) -> None:
    server = start()
    server.get("/face.png?seed=1")
    server.process.terminate()
    server.end()
    port = httpx.URL(server.url).port
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.slow
def test_nothing_is_written_to_disk(
    start: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = start()
    for path in PATHS:
        server.get(path)
    assert json.loads(server.get("/health/ready").text) == {"status": "ready"}
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.slow
def test_a_new_model_comes_without_a_lost_request(
    command: Callable[..., Command], models: list[Path], tmp_path: Path
) -> None:
    served = tmp_path / "served.safetensors"
    served.write_bytes(models[0].read_bytes())
    server = command(served).ready()
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
        until(lambda: f"the model is now {new[:16]}" in server.err.read_text())
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


@pytest.mark.slow
def test_sigterm_under_load_ends_what_was_begun(
    command: Callable[..., Command], models: list[Path]
) -> None:
    server = command(models[0]).ready()
    load = Load(server.url)
    try:
        until(lambda: len(load.statuses) > 20)
        server.process.terminate()
        assert server.process.wait(WAIT_SECONDS) == 128 + signal.SIGTERM
    finally:
        load.stop()
    # Every request that was sent is answered, and told to close; later connections are refused.
    assert set(load.statuses) <= {200, 503}
    assert {type(error) for error in load.errors} <= {httpx.ConnectError}
    assert server.err.read_text() == "ffgan: stopped by SIGTERM\n"
