# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask, from where, and what the operator sees of it."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import numpy as np
import pytest
from test_server import Client, FakeModel, ready, until

from ffgan import images
from ffgan.cli.web import read_tokens
from ffgan.errors import UsageError
from ffgan.server import Settings, create_app

ORIGIN = "https://pages.example"


# --- Tokens ---


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


def test_token_file_has_a_token_a_line(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "tokens"
    file.write_text("one\n\n  two  \n")
    assert read_tokens(file) == ("one", "two")
    assert read_tokens(None) == ()
    file.write_text("\n")
    with pytest.raises(UsageError, match="holds no token"):
        read_tokens(file)
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not ASCII"):
        read_tokens(file)
    with pytest.raises(UsageError, match="No such file"):
        read_tokens(tmp_path / "none")


def test_settings_do_not_print_their_tokens() -> None:
    assert "battery" not in repr(Settings(tokens=("battery",)))


# --- Other origins ---


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


# --- Behind a proxy ---


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


# --- What the operator sees ---


def metric(client: Client, name: str) -> float:
    text = client.get("/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_metrics_count_what_happened() -> None:
    client = ready(create_app(FakeModel(hash="ab" * 32), Settings(tries=3)))
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert metric(client, f'ffgan_model{{hash="{"ab" * 32}"}}') == 1
    for path in ("/face.png?seed=1", "/face.png?seed=2", "/face.png?seed=x", "/no/where", "/nor"):
        client.get(path)
    client.head("/face.png?seed=1")
    client.request("BREW", "/face.png")
    series = 'ffgan_requests_total{method="%s",path="%s",status="%s"}'
    assert metric(client, series % ("GET", "/face.png", 200)) == 2
    assert metric(client, series % ("GET", "/face.png", 422)) == 1
    assert metric(client, series % ("HEAD", "/face.png", 200)) == 1
    # Neither a path nor a method that somebody makes up makes a new series.
    assert metric(client, series % ("GET", "other", 404)) == 2
    assert metric(client, series % ("other", "/face.png", 405)) == 1
    assert metric(client, "ffgan_face_tries_sum") == 2 * 3 + 3
    assert metric(client, "ffgan_searches_remembered_total") == 1
    assert metric(client, "ffgan_batch_size_sum") == 2 * 3 + 1
    assert metric(client, 'ffgan_request_seconds_count{path="/face.png"}') == 5
    assert metric(client, "ffgan_queue_taken") == 0
    assert metric(client, "process_resident_memory_bytes") > 1e6


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


# --- A new model ---


def test_reload_exchanges_the_model_and_what_depends_on_it() -> None:
    models = [FakeModel(hash="a" * 64), FakeModel(hash="b" * 64)]
    app = create_app(lambda: models[0], Settings(tries=2))
    client = ready(app)
    old = client.get("/face.png?seed=1")
    models.pop(0)
    assert app.state.inference.reload().result(30) is models[0]
    new = client.get("/face.png?seed=1", headers={"If-None-Match": old.headers["etag"]})
    assert new.status_code == 200
    assert images.read_metadata(new.content)["model"] == "b" * 64
    assert len(models[0].drawn) == 2  # what the old model's search found is not believed
    assert metric(client, f'ffgan_model{{hash="{"a" * 64}"}}') == 0
    assert metric(client, f'ffgan_model{{hash="{"b" * 64}"}}') == 1


def test_a_slider_that_is_dragged_across_a_reload_blends_the_new_models_faces() -> None:
    class Bright(FakeModel):
        """Takes another draw of the same seed than its parent, which finds all alike."""

        def score(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            return images.mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32) - 1000

    new = Bright(hash="b" * 64)
    models = [FakeModel(hash="a" * 64), new]
    app = create_app(lambda: models[0], Settings(tries=5))
    client = ready(app)
    url = "/face.png?seeds=1,2&at=0.5"
    old = client.get(url)
    models.pop(0)
    app.state.inference.reload().result(30)
    blended = client.get(url)
    assert len(new.drawn) == 2 * 5 + 1
    fresh = ready(create_app(Bright(hash="b" * 64), Settings(tries=5)))
    assert blended.content == fresh.get(url).content
    assert (images.decode(blended.content) != images.decode(old.content)).any()


def test_a_reload_that_fails_changes_nothing() -> None:
    loads = iter([FakeModel()])
    app = create_app(lambda: next(loads), Settings(tries=1))
    client = ready(app)
    face = client.get("/face.png?seed=1")
    failed = app.state.inference.reload()
    assert isinstance(failed.exception(30), StopIteration)
    assert client.get("/health/ready").status_code == 200
    assert client.get("/face.png?seed=1").content == face.content


# --- What nobody expected ---


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
