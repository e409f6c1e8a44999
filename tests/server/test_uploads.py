# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of uploads: size, number, time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from support.server import (
    Client,
    FakeModel,
    in_loop,
    is_ready,
    photo,
    post,
    reason,
)

from ffgan import images
from ffgan.server import Settings, create_app

LIMIT = 100_000
SETTINGS = Settings(max_upload=LIMIT)


def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return parts()


def test_too_many_bytes_are_refused_with_and_without_a_length(client: Client) -> None:
    assert reason(post(client, bytes(LIMIT + 1))) == (413, "too_large")
    headers = {"Content-Type": "image/png"}
    answer = client.request("POST", "/score", content=chunks(bytes(LIMIT + 1)), headers=headers)
    assert reason(answer) == (413, "too_large")
    within = images.encode(photo(), "png")
    answer = client.request("POST", "/score", content=chunks(within), headers=headers)
    assert answer.status_code == 200
    answer = post(client, bytes(LIMIT + 1), "application/x-npy")
    assert reason(answer) == (415, "unsupported_media_type")


def upload(
    app: Any, messages: list[dict[str, Any]], host: str = "192.0.2.1"
) -> asyncio.Task[list[dict[str, Any]]]:
    """A POST whose body comes as `messages`, then never again."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> list[dict[str, Any]]:
        headers = [(b"content-type", b"image/png")]
        scope = {"type": "http", "method": "POST", "path": "/score", "headers": headers}
        await app({**scope, "query_string": b"", "client": (host, 5000)}, receive, send)
        return sent

    return asyncio.ensure_future(call())


def test_an_upload_that_does_not_end_is_ended() -> None:
    app = create_app(FakeModel(), Settings(upload_seconds=0.05))
    begun = {"type": "http.request", "body": b"x", "more_body": True}

    async def story(client: httpx.AsyncClient) -> None:
        sent = await upload(app, [begun])
        assert sent[0]["status"] == 408
        assert b'"reason":"too_slow"' in sent[1]["body"]

    in_loop(app, story)


def test_an_upload_whose_client_leaves_is_dropped() -> None:
    app = create_app(FakeModel())
    begun = {"type": "http.request", "body": b"x", "more_body": True}

    async def story(client: httpx.AsyncClient) -> None:
        sent = await upload(app, [begun, {"type": "http.disconnect"}])
        assert sent[0]["status"] == 499

    in_loop(app, story)


def begun(size: int) -> list[dict[str, Any]]:
    return [{"type": "http.request", "body": bytes(size), "more_body": True}]


def test_slow_uploads_of_one_client_keep_nothing_from_others() -> None:
    app = create_app(FakeModel(), Settings(max_upload=LIMIT, max_uploads=8))
    file = images.encode(photo(), "png")
    headers = {"Content-Type": "image/png"}

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        # Two of the largest are this client's quarter.
        slow = [upload(app, begun(size)) for size in [1000] * 100 + [LIMIT] * 3]
        while sum(task.done() for task in slow) < 2:
            await asyncio.sleep(0.01)
        refused = [task.result()[0]["status"] for task in slow if task.done()]
        assert refused == [503, 503]
        answer = await client.post("/score", content=file, headers=headers)
        assert answer.status_code == 200
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    in_loop(app, story)


def test_uploads_of_all_clients_are_bounded_together() -> None:
    app = create_app(FakeModel(), Settings(max_upload=LIMIT, max_uploads=4))
    file = images.encode(photo(), "png")
    headers = {"Content-Type": "image/png"}

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        waiting = [upload(app, begun(LIMIT), host=f"192.0.2.{i}") for i in range(4)]
        await asyncio.sleep(0.2)
        answer = await client.post("/score", content=file, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        answer = await client.post("/score", content=file, headers=headers)
        assert answer.status_code == 200

    in_loop(app, story)
