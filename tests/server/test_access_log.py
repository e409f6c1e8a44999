# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from support.server import (
    FakeModel,
    ready,
)

from ffgan.server import Settings, create_app


def test_access_log_has_a_line_of_json_for_each_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = ready(create_app(FakeModel(), Settings(tries=1, access_log=True)))
    capsys.readouterr()
    face = client.get("/face.png?seed=1")
    client.get("/face.png", params={"seed": '1"\n{"forged'})
    client.request("POST", httpx.URL("http://ffgan/%0Aforged"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["method"], line["status"]) for line in lines] == [
        *[("GET", 200), ("GET", 422), ("POST", 404)]
    ]
    assert lines[0]["path"] == "/face.png"
    assert lines[0]["query"] == "seed=1"
    assert lines[0]["bytes"] == len(face.content)
    assert lines[0]["complete"] is True
    assert 0 < lines[0]["seconds"] < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", lines[0]["time"])
    assert lines[2]["path"] == "/\nforged"


def test_access_log_is_off_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    client = ready(create_app(FakeModel(), Settings(tries=1)))
    client.get("/face.png?seed=1")
    assert capsys.readouterr().out == ""
