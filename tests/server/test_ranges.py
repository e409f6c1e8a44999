# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of responses, and films that can be played and sought while they arrive."""

from __future__ import annotations

import httpx
import pytest
from support.server import Client, FakeModel, metric, reason

from ffgan.server import Settings
from ffgan.server.http.body_cache import BodyCache

SETTINGS = Settings(tries=1)

FILMS = ["/interpolation.mp4?seeds=1,2&frames=3&size=32", "/interpolation.webp?seeds=1,2&frames=3"]
FACES = ["/face.png?seed=3", "/faces.jpg?seed=3&count=2", "/static/page.js"]


def part(client: Client, url: str, wanted: str, **headers: str) -> httpx.Response:
    return client.get(url, headers={"Range": wanted, **headers})


@pytest.mark.parametrize("url", [*FILMS, *FACES])
def test_parts_are_parts_of_the_whole(client: Client, url: str) -> None:
    whole = client.get(url)
    n = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    for wanted, start, stop in (
        ("bytes=0-1", 0, 2),
        ("bytes=5-", 5, n),
        (f"Bytes = 5 - {n + 100}", 5, n),
        ("bytes=-7", n - 7, n),
        (f"bytes=-{n + 1}", 0, n),
        (f"bytes={n - 1}-", n - 1, n),
    ):
        answer = part(client, url, wanted)
        assert answer.status_code == 206, wanted
        assert answer.content == whole.content[start:stop]
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{n}"
        assert answer.headers["content-length"] == str(stop - start)
        for same in ("etag", "cache-control", "content-type"):
            assert answer.headers[same] == whole.headers[same]


@pytest.mark.parametrize("wanted", ["bytes=0-1,4-5", "bytes=5-4", "lines=0-1", "bytes=-", "0-1"])
def test_what_is_no_single_range_is_answered_whole(client: Client, wanted: str) -> None:
    answer = part(client, FACES[0], wanted)
    assert answer.status_code == 200
    assert answer.content == client.get(FACES[0]).content


@pytest.mark.parametrize("wanted", ["bytes={n}-", "bytes=999999999999-", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_and_not_cached(client: Client, wanted: str) -> None:
    n = len(client.get(FACES[0]).content)
    answer = part(client, FACES[0], wanted.format(n=n))
    assert reason(answer) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{n}"
    assert answer.headers["cache-control"] == "no-store"


def test_a_part_of_another_body_is_not_sent(client: Client) -> None:
    tag = client.get(FACES[0]).headers["etag"]
    assert part(client, FACES[0], "bytes=0-1", **{"If-Range": tag}).status_code == 206
    for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        assert part(client, FACES[0], "bytes=0-1", **{"If-Range": other}).status_code == 200
    assert part(client, FACES[0], "bytes=0-1", **{"If-None-Match": tag}).status_code == 304


def test_head_says_that_there_are_parts_and_sends_none(client: Client) -> None:
    answer = client.request("HEAD", FILMS[0], headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    "url", ["/face.png", "/faces.zip?seed=1&count=2", "/nothing", "/health/live"]
)
def test_what_is_streamed_or_random_or_an_error_has_no_parts(client: Client, url: str) -> None:
    answer = part(client, url, "bytes=0-1")
    assert answer.status_code in (200, 404)
    assert "accept-ranges" not in answer.headers


def test_a_film_is_drawn_once_for_all_its_parts(client: Client, served: FakeModel) -> None:
    url = "/interpolation.mp4?seeds=61,62&frames=3&size=32"
    whole = client.get(url).content
    drawn = len(served.drawn)
    assert (
        part(client, url, "bytes=0-99").content + part(client, url, "bytes=100-").content == whole
    )
    assert len(served.drawn) == drawn
    assert metric(client, "ffgan_queue_taken") == 0


def test_films_that_were_used_last_are_kept_up_to_a_size() -> None:
    cache = BodyCache(capacity=10)
    cache.add("a", b"1234")
    cache.add("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.add("c", b"1234")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1234", None, b"1234")
    cache.add("d", bytes(11))
    assert cache.get("d") is None
    assert cache.get("a") is not None
