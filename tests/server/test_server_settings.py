# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.waiting import WAIT_SECONDS

from ffgan.errors import UsageError
from ffgan.server import Settings
from ffgan.settings import markdown_table


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"queue": -1}, {"tries": 0}, {"threshold": float("nan")}, {"batch": 0}],
        *[{"batch_wait": -1.0}, {"max_frames": 1}, {"upload_seconds": 0.0}, {"root_path": "x/"}],
    ],
)
def test_settings_refuse_wrong_values(wrong: dict[str, Any]) -> None:
    flag = "--" + next(iter(wrong)).replace("_", "-")
    with pytest.raises(UsageError, match=f"^{flag} must be [^\\n]*$"):
        Settings(**wrong)


def test_settings_do_not_print_their_tokens() -> None:
    assert "battery" not in repr(Settings(tokens=("battery",)))


@pytest.mark.parametrize("token", ["", "batt\xe9ry", "correct horse", "horse\n"])
def test_a_token_that_no_header_holds_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError, match="--tokens must be words of ASCII") as raised:
        Settings(tokens=("battery", token))
    assert not token or token not in str(raised.value)


def test_an_unknown_setting_is_named_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="unknown setting btach: did you mean batch"):
        Settings(btach=8)


def test_settings_come_from_the_environment() -> None:
    environment = {
        **{"FFGAN_WEB_QUEUE": "7", "FFGAN_WEB_THRESHOLD": "-1.5", "FFGAN_WEB_ACCESS_LOG": "true"},
        **{
            "FFGAN_WEB_CORS": "https://a.org, https://b.org",
            "FFGAN_WEB_TOKENS": "one",
            "HOME": "/",
        },
    }
    settings = Settings.from_environment(environment)
    assert (settings.queue, settings.threshold, settings.access_log) == (7, -1.5, True)
    assert settings.cors == ("https://a.org", "https://b.org")
    assert settings.tokens == ("one",)
    assert settings.batch == Settings().batch


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("QUEUE", "-1", "FFGAN_WEB_QUEUE must be 0 or more, not -1"),
        ("MAX_SIZE", "x", "FFGAN_WEB_MAX_SIZE must be a whole number, not 'x'"),
        ("QUEU", "1", "unknown setting FFGAN_WEB_QUEU: did you mean FFGAN_WEB_QUEUE?"),
        ("XYZ", "1", "unknown setting FFGAN_WEB_XYZ: ffgan web --help-all lists them"),
    ],
)
def test_a_wrong_variable_is_one_line_that_names_it(name: str, value: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings.from_environment({f"FFGAN_WEB_{name}": value})
    assert str(caught.value) == f"environment: {message}"


@pytest.mark.slow
def test_uvicorn_shows_that_line_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--factory", "ffgan.server:create_app", "--port", "0"],
        env={**os.environ, "FFGAN_WEB_QUEUE": "x"},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    assert done.returncode != 0
    assert "environment: FFGAN_WEB_QUEUE must be a whole number, not 'x'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_documentation_has_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
    assert markdown_table(Settings) in page
