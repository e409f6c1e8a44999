# SPDX-License-Identifier: GPL-3.0-or-later
"""`create_app` as a factory, and what `ffgan.server` imports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import numpy as np
import pytest
from support.server import Client, ready
from support.waiting import WAIT_SECONDS, until

from ffgan import images
from ffgan.model import Model
from ffgan.server import Settings, create_app


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


def test_without_arguments_the_environment_gives_model_and_settings(
    models: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FFGAN_MODEL", str(models[0]))
    monkeypatch.setenv("FFGAN_WEB_TRIES", "2")
    monkeypatch.setenv("FFGAN_WEB_THRESHOLD", "1000")
    client = ready(create_app())
    answer = client.get("/face.png?seed=1")
    assert answer.headers["x-ffgan-tries"] == "2"
    assert images.read_metadata(answer.content)["model"] == Model.load(models[0]).hash
    # What is given goes before.
    client = ready(create_app(models[1], Settings(tries=1)))
    answer = client.get("/face.png?seed=1")
    assert answer.headers["x-ffgan-tries"] == "1"
    assert images.read_metadata(answer.content)["model"] == Model.load(models[1]).hash


def test_an_empty_variable_names_no_model(
    models: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    model = Model.load(models[0])
    monkeypatch.setattr(Model, "load", lambda path, **options: asked.append(path) or model)
    monkeypatch.setenv("FFGAN_MODEL", "")
    create_app().state.inference.model.result()
    assert asked == [None]


def test_a_model_that_cannot_be_loaded_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(create_app(tmp_path / "none.safetensors"))
    until(lambda: client.get("/health/ready").json()["reason"] == "failed")
    until(lambda: "the model could not be loaded" in caplog.text)
    assert "does not exist" in caplog.text


@pytest.mark.slow
def test_uvicorn_runs_it_with_several_workers(models: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "uvicorn", "--factory", "ffgan.server:create_app"]
    process = subprocess.Popen(
        [*program, "--workers", "2", "--port", str(port)],
        env=os.environ | {"FFGAN_MODEL": str(models[0]), "FFGAN_WEB_TRIES": "1"},
        stderr=subprocess.DEVNULL,
    )

    def is_ready() -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=WAIT_SECONDS)
            return answer.status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(is_ready)
        answer = httpx.get(f"http://127.0.0.1:{port}/face.png?seed=7", timeout=WAIT_SECONDS)
        drawn = Model.load(models[0]).face(7, tries=1).image
        np.testing.assert_array_equal(images.decode(answer.content), drawn)
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_SECONDS)
    finally:
        process.kill()
        process.wait()
