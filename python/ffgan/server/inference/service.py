# SPDX-License-Identifier: GPL-3.0-or-later
"""Inference off the event loop: the model, the engine's batches, and a bounded queue before them.

A face costs tens of milliseconds of every core. Without the bound, a burst of requests would make
everyone wait longer than any client does, for faces that nobody is there to receive any more.

Nothing here belongs to one event loop, and nothing needs to be started: an application can be
called from any loop, also in a test, until `close`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import numpy as np
from starlette.requests import Request

from ffgan import _core
from ffgan.model import Model
from ffgan.model.candidate_search import Face, Judged, search
from ffgan.server.http.errors import Disconnected, Unavailable
from ffgan.server.inference.batching import Batcher, Steps
from ffgan.server.inference.search_cache import Found, Memory
from ffgan.server.telemetry.metrics import Metrics
from ffgan.typing import Float32, UInt8

P = ParamSpec("P")
T = TypeVar("T")


class Inference:
    """One model, the engine's batches, and `queue` more places for what waits.

    `model` is a future: it holds the model once `load` has returned, or the exception it raised.
    """

    def __init__(
        self,
        load: Callable[[], Model],
        *,
        batch: int,
        queue: int,
        wait: float = 0.0,
        metrics: Metrics,
    ) -> None:
        self._load = load
        self._metrics = metrics
        self._batcher = Batcher(batch=batch, wait=wait, computed=metrics.batch)
        # The engine knows the cores that a container's quota leaves, not only how many there are.
        self._pool = ThreadPoolExecutor(_core.engine()["threads"], thread_name_prefix="ffgan-files")
        self._memory = Memory()
        self._lock = threading.Lock()
        self._exchanging = threading.Lock()
        self.batch = batch
        self.places = batch + queue
        self._taken = self._long = 0
        metrics.watch(waiting=lambda: self._batcher.waiting, taken=lambda: self._taken)
        self.model = self._pool.submit(self._loaded_model)

    def close(self) -> None:
        """Takes no more work; what runs or waits already is left to finish."""
        self._batcher.close()
        self._pool.shutdown(wait=False)

    # --- The model ---

    def _loaded_model(self) -> Model:
        model = self._load()
        self._metrics.model(model.hash)
        return model

    def reload(self) -> Future[Model]:
        """Loads the model again; requests get the new one from the moment that it is there.

        Where it cannot be loaded the old one stays, and the future says why.
        """

        def exchange() -> Model:
            with self._exchanging:  # so that who asks last gets the newest
                model = self._loaded_model()
                loaded: Future[Model] = Future()
                loaded.set_result(model)
                self.model = loaded
                return model

        return self._pool.submit(exchange)

    def loaded(self) -> Model:
        """The model; raises Unavailable while there is none."""
        if not self.model.done():
            raise Unavailable("loading", "the model is still being loaded")
        if self.model.exception() is not None:
            raise Unavailable("failed", "the model could not be loaded; see the server's log")
        return self.model.result()

    # --- Admission ---

    def check_ready(self) -> None:
        """Raises Unavailable when a request for a face would be turned away now."""
        self.loaded()
        if self._taken >= self.places:
            raise Unavailable("busy", "too many requests are waiting; try again in a moment")

    def take(self, places: int = 1, *, long: bool = False) -> Place:
        """Room for `places` faces at a time, to be given back; raises Unavailable.

        `long` is for what lasts as long as its client likes: it leaves half of the room to others.
        """
        most = max(self.places // 2, 1) if long else self.places
        places = min(places, most)
        with self._lock:
            if self._taken + places > self.places or (long and self._long + places > most):
                raise Unavailable("busy", "too many requests are waiting; try again in a moment")
            self._taken += places
            self._long += places * long
        return Place(lambda: self._give_back(places, long))

    def _give_back(self, places: int, long: bool) -> None:
        with self._lock:
            self._taken -= places
            self._long -= places * long

    async def answer(self, request: Request, work: Coroutine[Any, Any, T], *, places: int = 1) -> T:
        """Does `work`, of which up to `places` faces are drawn at once.

        It is cancelled, and so taken from the queue, when the client hangs up.

        Raises:
            Unavailable: the queue is full, or the server ends.
            Disconnected: the client has gone.
        """
        try:
            place = self.take(places)
        except Unavailable:
            work.close()
            raise
        with place:
            task = asyncio.ensure_future(work)
            hung_up = asyncio.ensure_future(disconnected(request))
            try:
                await asyncio.wait((task, hung_up), return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    raise Disconnected
                return task.result()
            except asyncio.CancelledError as error:
                # So uvicorn ends the requests that its grace period was too short for.
                raise Unavailable("stopping", "the server is shutting down") from error
            finally:
                hung_up.cancel()
                task.cancel()

    # --- Work ---

    async def face(
        self, model: Model, seed: int, *, tries: int, threshold: float, truncation: float
    ) -> Face:
        """The face of a seed, as `Model.face` finds it."""
        face = await self._run(model, self._search(model, seed, tries, threshold, truncation))
        self._metrics.face(face.tries)
        return face

    async def find(
        self, model: Model, seed: int, *, tries: int, threshold: float, truncation: float
    ) -> Found:
        """What leads to the face of a seed; the engine is not asked where that is remembered."""
        known = self._memory.get(_key(model, seed, tries, threshold, truncation))
        if known is None:
            face = await self.face(
                model, seed, tries=tries, threshold=threshold, truncation=truncation
            )
            return Found(face.latent, face.tries)
        self._metrics.face(known.tries)
        self._metrics.remembered()
        return known

    async def render(self, model: Model, latent: Float32) -> Judged:
        """The image of a latent (100,), and its score."""
        return await self._run(model, _one(latent))

    async def score(self, model: Model, image: UInt8) -> float:
        """The score of an image (162, 162, 3)."""
        return (await self._run(model, _one(image)))[1]

    async def offload(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Does something else that takes time, such as encoding a file, on another thread."""
        try:
            return await asyncio.wrap_future(self._pool.submit(work, *args, **options))
        except RuntimeError as error:
            raise Unavailable("stopping", "the server is shutting down") from error

    async def _run(self, model: Model, steps: Steps[T]) -> T:
        try:
            future = self._batcher.submit(model, steps)
        except RuntimeError as error:
            raise Unavailable("stopping", "the server is shutting down") from error
        return await asyncio.wrap_future(future)

    def _search(
        self, model: Model, seed: int, tries: int, threshold: float, truncation: float
    ) -> Steps[Face]:
        """The candidate search; one that was done before goes straight to what it found."""
        key = _key(model, seed, tries, threshold, truncation)
        if (known := self._memory.get(key)) is not None:
            self._metrics.remembered()
            image, score = yield known.latent
            return Face(image, seed, known.latent, known.tries, score)
        face = yield from search(seed, tries=tries, threshold=threshold, truncation=truncation)
        self._memory.add(key, Found(face.latent, face.tries))
        return face


class Place:
    """Places in the queue; given back once, by `with` or by `close`."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def close(self) -> None:
        if self._give_back is not None:
            self._give_back()
            self._give_back = None

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _key(
    model: Model, seed: int, tries: int, threshold: float, truncation: float
) -> tuple[object, ...]:
    """All that decides what a search finds; so a new model's is never an old one's."""
    return model.hash, seed, tries, threshold, truncation


def _one(step: np.ndarray[Any, Any]) -> Generator[np.ndarray[Any, Any], Judged, Judged]:
    answer = yield step
    return answer


async def disconnected(request: Request) -> None:
    """Returns once the client has gone; its body must have been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
