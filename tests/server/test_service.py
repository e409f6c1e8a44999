# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading and reloading the model, the queue, and the cache of searches."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import numpy as np
from support.server import (
    Client,
    FakeModel,
    in_loop,
    is_ready,
    metric,
    ready,
)
from support.waiting import WAIT_SECONDS, until

from ffgan import images
from ffgan.latent import noise
from ffgan.model import Model
from ffgan.server import Settings, create_app
from ffgan.server.inference.search_cache import SearchCache


def test_not_ready_until_the_model_is_loaded(model: FakeModel) -> None:
    loaded = threading.Event()

    def load() -> FakeModel:
        assert loaded.wait(WAIT_SECONDS)
        return model

    client = Client(create_app(load))
    assert client.get("/health/live").status_code == 200
    assert client.get("/").status_code == 200
    for path in ("/health/ready", "/face.png", "/face.png?seed=1", "/get_image"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (503, "loading")
        assert int(answer.headers["retry-after"]) >= 1
    loaded.set()
    until(lambda: client.get("/health/ready").status_code == 200)
    assert client.get("/face.png?seed=1").status_code == 200


def test_failed_load_is_told() -> None:
    def load() -> FakeModel:
        raise OSError("gone")

    client = Client(create_app(load))
    until(lambda: client.get("/health/ready").json()["reason"] == "failed")
    assert client.get("/face.png").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_full_queue_answers_503_and_recovers(model: FakeModel) -> None:
    model.gate.clear()
    app = create_app(model, Settings(batch=1, queue=2))

    async def get_from(address: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://ffgan") as client:
            return await client.get(path)

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        tag = (await client.get("/face.png?seed=1", headers={"If-None-Match": "*"})).headers["etag"]
        # One client alone does not fill the queue.
        waiting = [
            asyncio.create_task(get_from(f"10.0.0.{seed}", f"/face.png?seed={seed}"))
            for seed in range(3)
        ]
        while (await client.get("/health/ready")).status_code == 200:
            await asyncio.sleep(0.01)
        for path in ("/face.jpg?seed=9", "/get_image", "/get_raw_image", "/health/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (503, "busy")
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["cache-control"] == "no-store"
        # What needs no inference is still answered.
        known = await client.get("/face.png?seed=1", headers={"If-None-Match": tag})
        assert known.status_code == 304
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/health/live")).status_code == 200
        model.gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 3
        assert (await client.get("/face.jpg?seed=9")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200

    in_loop(app, story)


def test_client_that_hung_up_is_not_drawn_for(model: FakeModel) -> None:
    model.gate.clear()
    app = create_app(model, Settings(batch=1, queue=5, tries=1))

    async def hang_up_on(seed: int) -> int:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            **{"type": "http", "method": "GET", "path": "/face.png", "headers": []},
            "query_string": f"seed={seed}".encode(),
        }
        await app(scope, receive, send)
        return int(sent[0]["status"])

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        first = asyncio.create_task(client.get("/face.png?seed=1"))
        while not model.drawn:
            await asyncio.sleep(0.01)
        # More than the queue holds: each must have given its place back.
        for seed in range(100, 120):
            assert await hang_up_on(seed) == 499
        last = asyncio.create_task(client.get("/face.png?seed=2"))
        await asyncio.sleep(0.05)
        model.gate.set()
        assert [(await answer).status_code for answer in (first, last)] == [200, 200]
        np.testing.assert_array_equal(model.drawn, [noise(1), noise(2)])

    in_loop(app, story)


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


def test_requests_share_batches_and_get_the_faces_of_the_model(real: Model) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        seeds = [*range(12), 3, 3]
        answers = await asyncio.gather(*(client.get(f"/face.png?seed={seed}") for seed in seeds))
        for seed, answer in zip(seeds, answers, strict=True):
            drawn = real.face(seed, tries=4)
            np.testing.assert_array_equal(images.decode(answer.content), drawn.image)
            assert answer.headers["x-ffgan-score"] == f"{drawn.score:.4f}"
            assert answer.headers["x-ffgan-tries"] == str(drawn.tries)
        again = await client.get("/face.png?seed=3")  # whose search is known by now
        assert again.content == answers[3].content
        sizes = (await client.get("/metrics")).text
        assert 'ffgan_batch_size_bucket{le="1.0"}' in sizes

    in_loop(create_app(real, Settings(tries=4)), story)


def test_seeds_found_before_are_not_searched_again() -> None:
    model = FakeModel()

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        for at, draws in ((0.5, 2 * 3 + 1), (0.75, 1), (1.0, 1)):
            model.drawn.clear()
            answer = await client.get(f"/face.png?seeds=1,2&at={at}")
            assert answer.headers["x-ffgan-tries"] == str(3 if at == 1.0 else 6)
            assert len(model.drawn) == draws

    in_loop(create_app(model, Settings(tries=3)), story)


def test_a_slider_costs_one_rendering_at_each_position(real: Model) -> None:
    drawn: list[int] = []

    class Counted(Model):
        def render(self, latents: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            drawn.append(len(latents))
            return super().render(latents)

    assert real.path is not None
    model, settings = Counted.load(real.path), Settings(tries=6)
    seed = next(seed for seed in range(100) if 3 <= real.face(seed, tries=6).tries < 6)
    drag = [
        f"/face.png?seed={seed}&move=0:1.5,3:-1",
        f"/face.png?seed={seed}&move=0:1.6,3:-1",
        f"/face.png?seed={seed}&move=0:1.6&truncation=0.5",
        f"/face.png?seed={seed}&move=0:1.6&tries=1",
        f"/face.png?seed={seed}&move=0:1.6&threshold=1000",
        "/face.png?seeds=7,8,9&at=0.25",
        "/face.png?seeds=7,8,9&at=1.5&move=0:-2",
    ]

    other = create_app(real, settings)

    async def cold(url: str) -> httpx.Response:
        """The response of an application that has searched for nothing yet."""
        other.state.inference._cache = SearchCache()
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url="http://ffgan") as client:
            await is_ready(client)
            return await client.get(url)

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        begun = [await client.get(url) for url in drag]
        drawn.clear()
        for url, first in zip(drag, begun, strict=True):
            again, alone = await client.get(url), await cold(url)
            assert again.content == first.content == alone.content
            assert headers(again) == headers(first) == headers(alone)
        assert drawn == [1] * len(drag)
        # Neither an interpolation nor the latents draw the ends for nothing.
        ends = real.face(7, tries=6).latent, real.face(8, tries=6).latent
        drawn.clear()
        answer = await client.get("/latents?seed=7&count=2")
        np.testing.assert_array_equal(np.float32(answer.json()["latents"]), np.stack(ends))
        assert not drawn
        way = "/interpolation.zip?seeds=7,8&frames=3"
        assert (await client.get(way)).content == (await cold(way)).content
        assert sum(drawn) == 3

    in_loop(create_app(model, settings), story)


def headers(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name in ("etag", "cache-control", "content-type") or name.startswith("x-ffgan-")
    }
