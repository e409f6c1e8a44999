# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries with what others add, without values, with names twice or unknown ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.server import FORMATS, Client, FakeModel, fitted, problem

from ffgan.server import Settings, create_app

SETTINGS = Settings(tries=1)

TRACKED = (
    "fbclid=IwAR123&gclid=1&utm_source=news&utm_medium=mail&_=1700000000&msclkid=1&dclid=1"
    "&mc_cid=1&mc_eid=2&igshid=1&UTM_Source=x&ref=front&fbclid&utm_source=twice"
)
REQUIRED = {
    "/interpolation": "seeds=1,2&frames=2&size=16",
    "/strip": "vary=brightness&count=2&size=16",
    "/grid": "vary=brightness,background&columns=2&rows=2&size=16",
}


@pytest.fixture(scope="module")
def module_model() -> FakeModel:
    return fitted()


def endpoints() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every endpoint that OpenAPI describes as one with parameters or a body."""
    for path, operations in create_app(FakeModel(), SETTINGS).openapi()["paths"].items():
        for method, operation in operations.items():
            if operation.get("parameters") or method == "post":
                yield method.upper(), path, operation


ENDPOINTS = list(endpoints())


def ask(client: Client, method: str, path: str, query: str) -> Any:
    options: dict[str, Any] = {"content": b"nothing"} if method == "POST" else {}
    needed = next((text for start, text in REQUIRED.items() if path.startswith(start)), "")
    return client.request(method, f"{path}?{'&'.join(filter(None, (needed, query)))}", **options)


@pytest.mark.parametrize(("method", "path", "operation"), ENDPOINTS)
def test_every_endpoint_keeps_the_documented_rules(
    client: Client, method: str, path: str, operation: dict[str, Any]
) -> None:
    plain = ask(client, method, path, "count=1" if path.startswith("/faces") else "")
    assert plain.status_code == (422 if method == "POST" else 200)
    assert plain.json()["reason"].startswith("invalid_") if method == "POST" else True
    tracked = f"count=1&{TRACKED}" if path.startswith("/faces") else TRACKED
    assert ask(client, method, path, tracked).status_code == plain.status_code
    unknown = ask(client, method, path, "sed=1")
    assert problem(unknown) == (422, "invalid_parameter", "sed")
    assert unknown.json()["message"].startswith("sed: no such parameter here; ")
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        twice = ask(client, method, path, f"{name}=1&{name}=1")
        assert problem(twice) == (422, "invalid_parameter", name)
        assert twice.json()["message"] == f"{name}: given more than once; give it once"
        if not parameter["required"]:
            few = "count=1&" if path.startswith("/faces") and name != "count" else ""
            assert ask(client, method, path, f"{few}{name}=").status_code == plain.status_code


@pytest.mark.parametrize("path", ["/", "/get_image", "/get_raw_image", "/docs", "/static/page.js"])
def test_pages_ignore_their_queries(client: Client, path: str) -> None:
    assert client.get(f"{path}?fbclid=1&t=2&t=3&seed=").status_code == 200


@pytest.mark.parametrize("format", FORMATS)
def test_what_others_add_changes_neither_the_face_nor_its_tag(client: Client, format: str) -> None:
    plain = client.get(f"/face.{format}?seed=7")
    shared = client.get(f"/face.{format}?utm_source=x&size=&seed=7&fbclid=IwAR123&at=")
    assert shared.content == plain.content
    assert shared.headers["etag"] == plain.headers["etag"]


def test_a_form_with_an_empty_field_gives_a_random_face(client: Client) -> None:
    answer = client.get("/face.png?seed=&size=200")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/face.png?sed=1", "sed: no such parameter here; did you mean seed?"),
        ("/directions?xyz=1", "xyz: no such parameter here; there are count"),
        ("/face.png?seed=x", "seed: must be a whole number, not 'x'"),
        ("/face.png?seed=-1", "seed: must be at least 0, not '-1'"),
        ("/face.png?truncation=3", "truncation: must be at most 2, not '3'"),
        ("/face.png?truncation=nan", "truncation: must be a finite number, not 'nan'"),
        ("/faces.zip?format=gif", "format: must be 'png', 'jpg' or 'webp', not 'gif'"),
        ("/interpolation.mp4", "seeds: missing; this URL needs it"),
        ("/face.png?move=up", "move: not of the form that /docs describes: 'up'"),
        ("/face.png?at=1", "at: needs `seeds`"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(client: Client, url: str, message: str) -> None:
    assert client.get(url).json()["message"] == message
