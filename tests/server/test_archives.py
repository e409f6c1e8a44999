# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces as files in an archive."""

from __future__ import annotations

import asyncio
import io
import tarfile
from typing import Any

import httpx
import pytest
from support.server import (
    FORMATS,
    Client,
    FakeModel,
    in_loop,
    is_ready,
    zip_files,
)

from ffgan.server import Settings, create_app

SETTINGS = Settings(tries=1)


@pytest.mark.parametrize("format", FORMATS)
def test_zip_has_the_files_that_their_urls_have(client: Client, format: str) -> None:
    answer = client.get(f"/faces.zip?seed=5&count=20&format={format}")
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    found = zip_files(answer)
    assert list(found) == [f"face-{5 + i}.{format}" for i in range(20)]
    for i in (0, 19):
        assert found[f"face-{5 + i}.{format}"] == client.get(f"/face.{format}?seed={5 + i}").content
    assert client.get(f"/faces.zip?seed=5&count=20&format={format}").content == answer.content


def test_tar_has_the_files_too(client: Client) -> None:
    answer = client.get("/faces.tar?seed=5&count=3")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert archive.getnames() == ["face-5.png", "face-6.png", "face-7.png"]
        file = archive.extractfile("face-6.png")
        assert file is not None
        assert file.read() == client.get("/face.png?seed=6").content
        assert archive.getmembers()[0].mode == 0o644


def test_an_archive_is_sent_while_it_is_made(model: FakeModel) -> None:
    """Whoever breaks off after the first part has not made the server draw all of it."""
    app = create_app(model, Settings(tries=1, batch=2))

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        model.drawn.clear()
        sent: list[dict[str, Any]] = []
        scope = {
            **{"type": "http", "method": "GET", "path": "/faces.zip", "headers": []},
            "query_string": b"seed=1&count=900",
        }

        async def receive() -> dict[str, Any]:
            while len(sent) < 3:
                await asyncio.sleep(0.001)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            await asyncio.sleep(0.001)

        await app(scope, receive, send)
        assert sent[0]["status"] == 200
        assert sent[1]["body"].startswith(b"PK")
        assert sent[-1].get("more_body", True)
        assert len(model.drawn) < 100
        # And its places in the queue are free again.
        inference = app.state.inference
        for client in ("one", "other"):
            inference.reserve(client, inference.capacity // 2)
        assert inference._places.taken == inference.capacity

    in_loop(app, story)


def test_archives_leave_half_of_the_room_to_others() -> None:
    model = FakeModel()
    app = create_app(model, Settings(tries=1, batch=2, queue=6))

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        model.gate.clear()
        archives = [
            asyncio.create_task(client.get(f"/faces.zip?count=5&seed={seed}")) for seed in (1, 2)
        ]
        while "ffgan_queue_taken 4.0" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.01)
        for url in ("/faces.tar?count=2", "/interpolation.zip?seeds=1,2"):
            answer = await client.get(url)
            assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
        face = asyncio.create_task(client.get("/face.png?seed=1"))
        await asyncio.sleep(0.01)
        model.gate.set()
        assert (await face).status_code == 200
        for archive in archives:
            assert len(zip_files(await archive)) == 5
        assert (await client.get("/faces.tar?count=2")).status_code == 200

    in_loop(app, story)


@pytest.mark.parametrize("kind", ["png", "zip", "tar"])
def test_several_without_seed_are_random_and_not_stored(client: Client, kind: str) -> None:
    first, second = (client.get(f"/faces.{kind}?count=2") for _ in range(2))
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-ffgan-seed"] != second.headers["x-ffgan-seed"]
    seed = first.headers["x-ffgan-seed"]
    assert client.get(f"/faces.{kind}?count=2&seed={seed}").content == first.content
