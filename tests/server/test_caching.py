# SPDX-License-Identifier: GPL-3.0-or-later
"""ETag and If-None-Match."""

from __future__ import annotations

import pytest
from support.server import (
    Client,
    FakeModel,
    ready,
)

from ffgan import _core
from ffgan.server import Settings, create_app
from ffgan.server.http import caching


def test_not_modified_is_answered_without_inference(client: Client, served: FakeModel) -> None:
    tag = client.get("/face.png?seed=3").headers["etag"]
    drawn = len(served.drawn)
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get("/face.png?seed=3", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert "immutable" in answer.headers["cache-control"]
    assert len(served.drawn) == drawn
    assert client.get("/face.png?seed=3", headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.get("/face.png", headers={"If-None-Match": "*"}).status_code == 200


def test_what_is_computed_in_bf16_says_so(client: Client) -> None:
    rounded = ready(create_app(FakeModel(precision="bf16"), Settings(tries=3)))
    latents = client.get("/latents?seed=1").json()
    for path in (
        *("/face.png?seed=1", "/face.jpg", "/faces.png?seed=1&count=2", "/faces.zip?count=2"),
        *("/latents?seed=1", "/interpolation.webp?seeds=1,2&frames=2", "/get_raw_image"),
    ):
        assert rounded.get(path).headers["x-ffgan-precision"] == "bf16", path
        assert "x-ffgan-precision" not in client.get(path).headers, path
    tag = rounded.get("/face.png?seed=1").headers["etag"]
    same = rounded.get("/face.png?seed=1", headers={"If-None-Match": tag})
    assert (same.status_code, same.headers["x-ffgan-precision"]) == (304, "bf16")
    assert rounded.request("POST", "/latents", json=latents).headers["x-ffgan-precision"] == "bf16"


def test_whatever_decides_the_bytes_decides_the_tag() -> None:
    clients = {
        name: ready(create_app(model, settings))
        for name, model, settings in (
            ("default", FakeModel(), Settings(tries=3)),
            ("model", FakeModel(hash="f" * 64), Settings(tries=3)),
            ("tries", FakeModel(), Settings(tries=4)),
            ("threshold", FakeModel(), Settings(tries=3, threshold=3.0)),
            ("precision", FakeModel(precision="bf16"), Settings(tries=3)),
        )
    }

    def tag(path: str, client: str = "default") -> str:
        return clients[client].head(path).headers["etag"]

    tags = [
        tag("/face.png?seed=1"),
        tag("/face.jpg?seed=1"),
        tag("/face.png?seed=2"),
        tag("/face.png?seed=1&size=100"),
        tag("/face.png?seed=1&truncation=0.5"),
        tag("/face.png?seed=1&tries=2"),
        tag("/face.png?seed=1&threshold=2"),
        tag("/face.png?seed=1&quality=50"),
        tag("/face.png?seed=1", "model"),
        tag("/face.png?seed=1", "tries"),
        tag("/face.png?seed=1&move=0:1"),
        tag("/face.png?seeds=1,2&at=0.5"),
        tag("/face.png?seeds=1,2&at=0.25"),
        tag("/face.png?seed=1", "threshold"),
        tag("/face.png?seed=1", "precision"),
    ]
    assert len(set(tags)) == len(tags)
    # The same thing said in another way.
    assert tag("/face.png?size=162&seed=01&tries=3&threshold=0.25") == tags[0]


def test_another_processor_makes_the_same_bytes_and_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    here = caching.software()
    there = {
        **_core.engine(),
        "threads": 99,
        "threads_from": "x",
        "instructions": "neon",
        "compiled_instructions": "",
        "bf16": "otherwise",
    }
    monkeypatch.setattr(caching._core, "engine", lambda: there)
    assert caching.software.__wrapped__() == here
    there["dlib"] = "21"
    assert caching.software.__wrapped__() != here
