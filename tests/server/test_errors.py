# SPDX-License-Identifier: GPL-3.0-or-later
"""Error responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.server import (
    Client,
    FakeModel,
    metric,
)
from support.waiting import until

from ffgan.errors import UsageError
from ffgan.latent import noise
from ffgan.server import Settings, create_app


@pytest.mark.parametrize(
    "path",
    [
        "/face",
        "/face.gif",
        "/face.png/",
        "/get_image/",
        "/index.html",
        "/static/",
        "/static/index.html",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/style.css%00",
        "/%ff%fe",
        "/redoc",
        "/docs/oauth2-redirect",
        "/health",
    ],
)
def test_everything_else_is_not_found(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["reason"] == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(client: Client, served: FakeModel, method: str) -> None:
    answer = client.request(method, "/face.png?seed=1")
    assert answer.status_code == 405
    assert answer.json()["reason"] == "method_not_allowed"
    assert not served.drawn


def test_error_of_the_model_is_no_secret_and_no_crash(model: FakeModel) -> None:
    def refuse(latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        wrong = bool((latents[0] == noise(1)).all())
        raise UsageError("truncation 1 is too much") if wrong else RuntimeError("secret")

    model.render = refuse  # type: ignore[method-assign]
    client = Client(create_app(model), raise_errors=False)
    until(lambda: client.get("/health/ready").status_code == 200)
    answer = client.get("/face.png?seed=1")
    assert (answer.status_code, answer.json()["message"]) == (422, "truncation 1 is too much")
    answer = client.get("/face.png?seed=2")
    assert (answer.status_code, answer.json()["reason"]) == (500, "failed")
    assert "secret" not in answer.text
    assert client.get("/health/ready").status_code == 200


def test_a_failure_is_counted_guarded_and_no_secret() -> None:
    model = FakeModel()
    client = Client(create_app(model, Settings(tries=1)), raise_errors=False)
    until(lambda: client.get("/health/ready").status_code == 200)

    def fail(images: object) -> np.ndarray[Any, Any]:
        raise RuntimeError("secret")

    model.score = fail  # type: ignore[assignment, method-assign]
    answer = client.get("/face.png?seed=1")
    assert (answer.status_code, answer.json()["reason"]) == (500, "failed")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    series = 'ffgan_requests_total{method="GET",path="/face.png",status="500"}'
    assert metric(client, series) == 1
    assert metric(client, "ffgan_queue_taken") == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PUT", "/face.png", 405),
        ("GET", "/face.png?seed=x", 422),
        ("GET", "/face.png?sed=1", 422),
        ("POST", "/score", 422),
        ("GET", "/faces.png?count=100&size=1024", 422),
    ],
)
def test_no_error_is_kept_by_a_cache(client: Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
