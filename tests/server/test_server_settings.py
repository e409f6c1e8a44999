# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
    with pytest.raises(UsageError, match=r"FFGAN_WEB_.*--queue must be 0 or more, not -1"):
        Settings.from_environment({"FFGAN_WEB_QUEUE": "-1"})
    with pytest.raises(UsageError, match=r"FFGAN_WEB_.*did you mean queue"):
        Settings.from_environment({"FFGAN_WEB_QUEU": "1"})


def test_the_documentation_has_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
    assert markdown_table(Settings) in page
