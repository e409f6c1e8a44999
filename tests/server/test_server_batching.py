# SPDX-License-Identifier: GPL-3.0-or-later
"""Many requests, one engine: what shares a batch, and that nobody sees it in a face."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from typing import Any

import httpx
import numpy as np
import pytest
from test_server import WAIT_SECONDS, FakeModel, in_loop, until

from ffgan import _core, images
from ffgan.latent import noise
from ffgan.model import Model, save_model
from ffgan.model.candidate_search import Face, search
from ffgan.server import Settings, create_app
from ffgan.server.inference.batching import Batcher
from ffgan.server.inference.search_cache import Found, Memory


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An untrained model whose scores lie on both sides of the threshold."""
    trainer = _core.Trainer(seed=11)
    trainer.estimate_statistics(np.stack([noise(i) for i in range(8)]))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    discriminator = trainer.parameters("discriminator")
    save_model(path, trainer.parameters("averaged"), discriminator, {})
    model = Model.load(path)
    scores = model.score(model.render(np.stack([noise(i) for i in range(16)])))
    discriminator["fc.bias"] -= np.quantile(scores, 0.75)
    save_model(path, trainer.parameters("averaged"), discriminator, {})
    return Model.load(path)


def steps(
    *wanted: np.ndarray[Any, Any],
) -> Generator[np.ndarray[Any, Any], tuple[Any, float], list[float]]:
    """A job of these steps whose result are their scores."""
    scores = []
    for step in wanted:
        _, score = yield step
        scores.append(score)
    return scores


def batcher(batch: int, sizes: list[int]) -> Batcher:
    return Batcher(batch=batch, computed=lambda size, _: sizes.append(size))


def test_searches_in_shared_batches_find_what_each_would_alone(real: Model) -> None:
    sizes: list[int] = []
    shared = batcher(5, sizes)
    seeds = range(100, 124)
    searches = [search(seed, tries=6, threshold=real.threshold) for seed in seeds]
    # A long job first, so that the rest gathers behind it.
    shared.submit(real, steps(*[noise(i) for i in range(4)]))
    futures = [shared.submit(real, one) for one in searches]
    for seed, future in zip(seeds, futures, strict=True):
        found: Face = future.result(WAIT_SECONDS)
        alone = real.face(seed, tries=6)
        np.testing.assert_array_equal(found.image, alone.image)
        np.testing.assert_array_equal(found.latent, alone.latent)
        assert (found.tries, found.score) == (alone.tries, alone.score)
    assert {found.result().tries for found in futures} > {1, 6}
    assert max(sizes) == 5


def test_what_waits_while_a_batch_runs_is_the_next_batch() -> None:
    model, sizes = FakeModel(), []
    shared = batcher(8, sizes)
    model.gate.clear()
    first = shared.submit(model, steps(noise(0)))
    until(lambda: bool(model.drawn))
    others = [shared.submit(model, steps(noise(i))) for i in range(1, 12)]
    assert shared.waiting == 11
    model.gate.set()
    for future in (first, *others):
        assert future.result(WAIT_SECONDS) == [-1.5]
    assert sizes == [1, 8, 3]
    np.testing.assert_array_equal(model.drawn, [noise(i) for i in range(12)])


def test_a_job_that_has_begun_goes_before_those_that_have_not() -> None:
    model, sizes = FakeModel(), []
    shared = batcher(2, sizes)
    model.gate.clear()
    futures = [shared.submit(model, steps(noise(i), noise(10 + i))) for i in range(4)]
    model.gate.set()
    for future in futures:
        future.result(WAIT_SECONDS)
    order = [next(i for i in range(20) if (noise(i) == drawn).all()) for drawn in model.drawn]
    # The first batch may have begun with less than it could hold.
    assert order.index(10) < order.index(2) < order.index(12)
    assert sum(sizes) == 8


def test_a_cancelled_job_is_not_computed() -> None:
    model, sizes = FakeModel(), []
    shared = batcher(1, sizes)
    model.gate.clear()
    first = shared.submit(model, steps(noise(0), noise(1)))
    until(lambda: bool(model.drawn))
    gone, last = (shared.submit(model, steps(noise(i))) for i in (2, 3))
    assert gone.cancel()
    # Also one that is being computed: it is not asked for its next step.
    assert first.cancel()
    model.gate.set()
    assert last.result(WAIT_SECONDS) == [-1.5]
    np.testing.assert_array_equal(model.drawn, [noise(0), noise(3)])


def test_models_are_not_mixed() -> None:
    old, new, sizes = FakeModel(), FakeModel(), []
    shared = batcher(8, sizes)
    old.gate.clear()
    first = shared.submit(old, steps(noise(0)))
    until(lambda: bool(old.drawn))
    models = (old, old, new, new, old)
    futures = [shared.submit(model, steps(noise(1 + i))) for i, model in enumerate(models)]
    old.gate.set()
    for future in (first, *futures):
        future.result(WAIT_SECONDS)
    assert sizes == [1, 2, 2, 1]
    np.testing.assert_array_equal(new.drawn, [noise(3), noise(4)])


def test_images_and_latents_share_a_batch(real: Model) -> None:
    image = real.render(noise(5)[None])[0]
    sizes: list[int] = []
    shared = batcher(8, sizes)
    wait = shared.submit(real, steps(*[noise(i) for i in range(3)]))
    futures = [
        shared.submit(real, steps(step)) for step in (noise(1), image, noise(5), image, noise(2))
    ]
    scores = [future.result(WAIT_SECONDS)[0] for future in futures]
    wait.result(WAIT_SECONDS)
    alone = real.score(real.render(np.stack([noise(1), noise(5), noise(2)])))
    assert scores == [alone[0], alone[1], alone[1], alone[1], alone[2]]


def test_a_failing_engine_fails_the_batch_and_no_other() -> None:
    class Failing(FakeModel):
        def score(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            raise MemoryError("no room")

    sizes: list[int] = []
    shared = batcher(4, sizes)
    failed = shared.submit(Failing(), steps(noise(1)))
    fine = shared.submit(FakeModel(), steps(noise(1)))
    with pytest.raises(MemoryError, match="no room"):
        failed.result(WAIT_SECONDS)
    assert fine.result(WAIT_SECONDS) == [-1.5]


def test_a_job_that_raises_fails_alone() -> None:
    def wrong() -> Generator[np.ndarray[Any, Any], Any, None]:
        yield noise(1)
        raise ValueError("its own fault")

    model, sizes = FakeModel(), []
    shared = batcher(4, sizes)
    failed, fine = shared.submit(model, wrong()), shared.submit(model, steps(noise(2), noise(3)))
    with pytest.raises(ValueError, match="its own fault"):
        failed.result(WAIT_SECONDS)
    assert fine.result(WAIT_SECONDS) == [-1.5, -1.5]


def test_many_threads_may_submit() -> None:
    model, sizes = FakeModel(), []
    shared = batcher(8, sizes)
    results: list[list[float]] = []

    def submit() -> None:
        for i in range(50):
            results.append(shared.submit(model, steps(noise(i))).result(WAIT_SECONDS))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[-1.5]] * 400
    assert sum(sizes) == 400
    assert shared.waiting == 0


def test_requests_share_batches_and_get_the_faces_of_the_model(real: Model) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        seeds = [*range(30), 3, 3]
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
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
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

    async def ready(client: httpx.AsyncClient) -> None:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)

    async def cold(url: str) -> httpx.Response:
        answers: list[httpx.Response] = []

        async def story(client: httpx.AsyncClient) -> None:
            await ready(client)
            answers.append(await client.get(url))

        await asyncio.to_thread(in_loop, create_app(real, settings), story)
        return answers[0]

    async def story(client: httpx.AsyncClient) -> None:
        await ready(client)
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


def test_the_searches_asked_for_last_are_remembered() -> None:
    memory = Memory(3)
    found = {name: Found(noise(i), i) for i, name in enumerate("abcd")}
    for name in "abc":
        memory.add(name, found[name])
    assert memory.get("a") is found["a"]
    memory.add("d", found["d"])
    assert memory.get("b") is None
    assert [memory.get(name) for name in "acd"] == [found[name] for name in "acd"]


def test_many_threads_may_remember() -> None:
    memory = Memory(8)
    wrong: list[object] = []

    def drag(first: int) -> None:
        try:
            for i in range(2000):
                seed = (first + i) % 12
                if (known := memory.get(seed)) is None:
                    memory.add(seed, Found(noise(0), seed))
                elif known.tries != seed:
                    wrong.append((seed, known))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=drag, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(memory.get(seed) is not None for seed in range(12)) == 8


def test_nobody_waits_for_an_engine_that_has_ended() -> None:
    class Ended(BaseException):
        pass

    class Ending(FakeModel):
        def score(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            raise Ended

    model, sizes = Ending(), []
    shared = batcher(1, sizes)
    model.gate.clear()
    futures = [shared.submit(model, steps(noise(i))) for i in range(3)]
    model.gate.set()
    for future in futures:
        with pytest.raises(Ended):
            future.result(WAIT_SECONDS)
    assert shared.submit(FakeModel(), steps(noise(1))).result(WAIT_SECONDS) == [-1.5]
