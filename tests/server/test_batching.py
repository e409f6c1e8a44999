# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that share the engine's batches."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from support.server import (
    FakeModel,
)
from support.waiting import WAIT_SECONDS, until

from ffgan.latent import noise
from ffgan.model import Model
from ffgan.model.candidate_search import Face, search
from ffgan.server.inference.batching import Batcher


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
    return Batcher(batch=batch, on_batch=lambda size, _: sizes.append(size))


def test_searches_in_shared_batches_find_what_each_would_alone(real: Model) -> None:
    sizes: list[int] = []
    shared = batcher(5, sizes)
    seeds = range(100, 114)
    searches = [search(seed, tries=6, threshold=real.threshold) for seed in seeds]
    # A long job first, so that the rest gathers behind it.
    shared.submit("one", real, steps(*[noise(i) for i in range(4)]))
    futures = [shared.submit("one", real, one) for one in searches]
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
    first = shared.submit("one", model, steps(noise(0)))
    until(lambda: bool(model.drawn))
    others = [shared.submit("one", model, steps(noise(i))) for i in range(1, 12)]
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
    futures = [shared.submit("one", model, steps(noise(i), noise(10 + i))) for i in range(4)]
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
    first = shared.submit("one", model, steps(noise(0), noise(1)))
    until(lambda: bool(model.drawn))
    gone, last = (shared.submit("one", model, steps(noise(i))) for i in (2, 3))
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
    first = shared.submit("one", old, steps(noise(0)))
    until(lambda: bool(old.drawn))
    models = (old, old, new, new, old)
    futures = [shared.submit("one", model, steps(noise(1 + i))) for i, model in enumerate(models)]
    old.gate.set()
    for future in (first, *futures):
        future.result(WAIT_SECONDS)
    assert sizes == [1, 2, 2, 1]
    np.testing.assert_array_equal(new.drawn, [noise(3), noise(4)])


def test_images_and_latents_share_a_batch(real: Model) -> None:
    image = real.render(noise(5)[None])[0]
    sizes: list[int] = []
    shared = batcher(8, sizes)
    wait = shared.submit("one", real, steps(*[noise(i) for i in range(3)]))
    futures = [
        shared.submit("one", real, steps(step))
        for step in (noise(1), image, noise(5), image, noise(2))
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
    failed = shared.submit("one", Failing(), steps(noise(1)))
    fine = shared.submit("one", FakeModel(), steps(noise(1)))
    with pytest.raises(MemoryError, match="no room"):
        failed.result(WAIT_SECONDS)
    assert fine.result(WAIT_SECONDS) == [-1.5]


def test_a_job_that_raises_fails_alone() -> None:
    def wrong() -> Generator[np.ndarray[Any, Any], Any, None]:
        yield noise(1)
        raise ValueError("its own fault")

    model, sizes = FakeModel(), []
    shared = batcher(4, sizes)
    failed, fine = (
        shared.submit("one", model, wrong()),
        shared.submit("one", model, steps(noise(2), noise(3))),
    )
    with pytest.raises(ValueError, match="its own fault"):
        failed.result(WAIT_SECONDS)
    assert fine.result(WAIT_SECONDS) == [-1.5, -1.5]


def test_many_threads_may_submit() -> None:
    model, sizes = FakeModel(), []
    shared = batcher(8, sizes)
    results: list[list[float]] = []

    def submit() -> None:
        for i in range(50):
            results.append(shared.submit("one", model, steps(noise(i))).result(WAIT_SECONDS))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[-1.5]] * 400
    assert sum(sizes) == 400
    assert shared.waiting == 0


def test_nobody_waits_for_an_engine_that_has_ended() -> None:
    class Ended(BaseException):
        pass

    class Ending(FakeModel):
        def score(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            raise Ended

    model, sizes = Ending(), []
    shared = batcher(1, sizes)
    model.gate.clear()
    futures = [shared.submit("one", model, steps(noise(i))) for i in range(3)]
    model.gate.set()
    for future in futures:
        with pytest.raises(Ended):
            future.result(WAIT_SECONDS)
    assert shared.submit("one", FakeModel(), steps(noise(1))).result(WAIT_SECONDS) == [-1.5]


def test_clients_take_turns() -> None:
    """One that has sent much delays another by one step a turn, not by all that it has sent."""
    sizes: list[int] = []
    shared, model = batcher(1, sizes), FakeModel()
    model.gate.clear()
    done: list[str] = []
    for name, client, length in [*((f"flood {i}", "flood", 3) for i in range(6)), ("me", "me", 4)]:
        future = shared.submit(client, model, steps(*[noise(i) for i in range(length)]))
        future.add_done_callback(lambda _, name=name: done.append(name))
    model.gate.set()
    until(lambda: len(done) == 7)
    # Seven steps of the other at most, of which it needs six for two of its jobs.
    assert done.index("me") in (1, 2)
    assert [name for name in done if name != "me"] == [f"flood {i}" for i in range(6)]
    assert shared.waiting == 0
