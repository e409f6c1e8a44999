# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan web`: its options, the file of tokens, and one process only."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import SECONDS, environment, only_error

from ffgan import cli, images
from ffgan.cli.web import read_tokens
from ffgan.errors import UsageError
from ffgan.model import Model


def test_token_file_has_a_token_a_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("one\n\n  two  \n")
    assert read_tokens(file) == ("one", "two")
    file.write_text("\n")
    with pytest.raises(UsageError, match="holds no token"):
        read_tokens(file)
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not ASCII"):
        read_tokens(file)
    with pytest.raises(UsageError, match="No such file"):
        read_tokens(tmp_path / "none")


def test_several_workers_are_one_line_with_the_alternative(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["web", "--workers", "2"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "uvicorn --factory ffgan.server:create_app --workers" in line


def test_web_refuses_a_wrong_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--web", "--port", "70000"]) == 2
    assert "--port" in only_error(capsys)


def test_web_hands_its_options_to_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("ffgan.server.serve", lambda model, **how: seen.update(how))
    tokens = tmp_path / "tokens"
    tokens.write_text("one\ntwo\n")
    command = ["web", "--workers", "3", "--grace", "2", "--tries", "4", "--queue", "7"]
    command += ["--max-upload", "5", "--batch-wait", "1.5", "--token-file", str(tokens)]
    command += ["--cors", "https://a.org", "--cors", "https://b.org", "--root-path", "/x"]
    assert cli.main([*command, "--access-log", "json"]) == 0
    assert (seen["workers"], seen["grace"]) == (3, 2.0)
    settings = seen["settings"]
    assert (settings.tries, settings.queue, settings.max_upload) == (4, 7, 5)
    assert (settings.batch_wait, settings.root_path) == (1.5, "/x")
    assert settings.tokens == ("one", "two")
    assert settings.cors == ("https://a.org", "https://b.org")
    assert settings.access_log is True
    assert settings.batch == 8  # what is not given stays


@pytest.mark.parametrize(
    "wrong",
    [["--queue", "-1"], ["--max-frames", "x"], ["--root-path", "x"], ["--token-file", "/none"]],
)
def test_wrong_options_of_web_are_one_line(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["web", *wrong]) == 2
    error = only_error(capsys)
    assert wrong[0].strip("-").replace("-", "_").partition("_")[0] in error or "/none" in error


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_web_serves_until_a_signal(
    number: signal.Signals, status: int, tmp_path: Path, model: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ffgan", "--web", "--port", "0", "--model", model],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = re.search(r"http://\S+", process.stdout.readline())
    assert address, process.communicate()
    with urllib.request.urlopen(f"{address[0]}/face.png?seed=7", timeout=SECONDS) as answer:
        pixels = images.decode(answer.read())
    np.testing.assert_array_equal(pixels, Model.load(model).face(7).image)
    process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == status
    assert "Traceback" not in errors


def test_a_taken_port_is_one_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["web", "--port", port, "--model", model]) == 1
    assert port in only_error(capsys)
