# SPDX-License-Identifier: GPL-3.0-or-later
"""Security headers, HEAD, tokens, other origins, and the prefix of a proxy."""

from __future__ import annotations

import pytest
from support.server import (
    PATHS,
    Client,
    FakeModel,
    ready,
)

from ffgan.server import Settings, create_app


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_guarded_and_for_this_origin_only(client: Client, path: str) -> None:
    headers = client.get(path, headers={"Origin": "http://elsewhere.example"}).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    varying = {"x-ffgan-seed", "content-length", "content-disposition"}
    get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert set(head.headers) == set(get.headers)
    random = get.headers.get("cache-control") == "no-store" and "x-ffgan-seed" in get.headers
    for name in set(head.headers) - (varying if random else set()):
        assert head.headers[name] == get.headers[name]


ORIGIN = "https://pages.example"


@pytest.fixture(scope="module")
def guarded() -> Client:
    return ready(create_app(FakeModel(), Settings(tries=1, tokens=("correct-horse", "battery"))))


@pytest.mark.parametrize("token", ["Bearer correct-horse", "bearer battery", "BEARER  battery "])
def test_a_right_token_opens(guarded: Client, token: str) -> None:
    answer = guarded.get("/face.png?seed=1", headers={"Authorization": token})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        *[
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer correct",
            "Bearer correct-horse2",
            "correct-horse",
        ],
        *["Basic correct-horse", "Bearer correct-horse,battery", "Bearer \xe9\xff"],
    ],
)
@pytest.mark.parametrize(
    "path", ["/face.png?seed=1", "/", "/docs", "/openapi.json", "/metrics", "/nothing", "/latents"]
)
def test_anything_else_is_refused(guarded: Client, token: str | None, path: str) -> None:
    headers = {} if token is None else {"Authorization": token.encode("latin-1")}
    for method in ("GET", "HEAD", "POST"):
        answer = guarded.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert method == "HEAD" or answer.json()["reason"] == "unauthorized"


def test_health_is_anyones_to_ask(guarded: Client) -> None:
    assert guarded.get("/health/live").status_code == 200
    assert guarded.get("/health/ready").status_code == 200
    assert guarded.get("/health/ready/../../face.png").status_code == 401
    assert guarded.get("/health").status_code == 401


def test_a_shared_cache_may_not_hand_on_what_needs_a_token(guarded: Client) -> None:
    headers = {"Authorization": "Bearer battery"}
    caching = guarded.get("/face.png?seed=1", headers=headers).headers["cache-control"]
    assert caching == "private, max-age=31536000, immutable"


def test_an_origin_that_is_named_may_read_the_answers() -> None:
    client = ready(create_app(FakeModel(), Settings(tries=1, cors=(ORIGIN,), tokens=("t",))))
    headers = {"Origin": ORIGIN, "Authorization": "Bearer t"}
    answer = client.get("/face.png?seed=1", headers=headers)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-FFGAN-Seed" in answer.headers["access-control-expose-headers"]
    assert "content-security-policy" in answer.headers
    # A browser asks first, without the token.
    ask = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    assert client.request("OPTIONS", "/latents", headers=ask).status_code == 200
    other = client.get("/face.png?seed=1", headers={**headers, "Origin": "https://else.example"})
    assert "access-control-allow-origin" not in other.headers
    refused = client.request("OPTIONS", "/latents", headers={**ask, "Origin": "https://x.example"})
    assert refused.status_code == 400


def test_any_origin_may_where_that_is_asked_for() -> None:
    client = ready(create_app(FakeModel(), Settings(tries=1, cors=("*",))))
    answer = client.get("/face.png?seed=1", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("prefix", ["", "/faces/all"])
def test_root_path_serves_proxies_that_strip_it_and_that_do_not(prefix: str) -> None:
    app = create_app(FakeModel(), Settings(tries=1, root_path="/faces/all", tokens=("t",)))
    client = ready(app)
    headers = {"Authorization": "Bearer t"}
    assert client.get(f"{prefix}/health/ready").status_code == 200
    assert client.get(f"{prefix}/face.png?seed=1").status_code == 401
    assert client.get(f"{prefix}/face.png?seed=1", headers=headers).status_code == 200
    assert client.get(f"{prefix}/", headers=headers).status_code == 200
    assert 'path="/face.png",status="200"' in client.get("/metrics", headers=headers).text
    described = client.get(f"{prefix}/openapi.json", headers=headers).json()
    assert described["servers"] == [{"url": "/faces/all"}]
