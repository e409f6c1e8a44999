# SPDX-License-Identifier: GPL-3.0-or-later
"""Inference off the event loop: the model, the engine's batches, and a bounded queue before them.

A face costs tens of milliseconds of every core. Without the bound, a burst of requests would make
everyone wait longer than any client does, for faces that no client receives any more.

Nothing here belongs to one event loop, and nothing needs to be started: until ``close``, an
application can be called from any loop, also in a test.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from starlette.requests import Request

from ffgan import _core, control
from ffgan.control import ControlledFace
from ffgan.control.measuring import measured
from ffgan.model import Model
from ffgan.model.candidate_search import Face, Judged, search
from ffgan.server.http.encoding import Picture
from ffgan.server.http.errors import Disconnected, Unavailable
from ffgan.server.http.shares import client_of
from ffgan.server.http.streaming import wait_for_disconnect
from ffgan.server.inference.asked import attributes_of
from ffgan.server.inference.batching import Batcher, Step, Steps
from ffgan.server.inference.budget import Budget
from ffgan.server.inference.places import Places
from ffgan.server.inference.search import Asked, Search
from ffgan.server.inference.search_cache import SearchCache, SearchResult
from ffgan.server.inference.seen import Seen
from ffgan.server.telemetry.metrics import Metrics
from ffgan.typing import RGB, Float32, UInt8

TINY = 1 << 20
"""Bytes of work that need not wait for memory: there is only as much of it as threads."""

SMALL = 8 << 20
"""Bytes of work that does not wait behind large work: it has memory and threads of its own."""

SMALL_MEMORY = 32 << 20

NO_IMAGE = np.empty((0, 0, 3), np.uint8)

P = ParamSpec("P")
T = TypeVar("T")


class Inference:
    """One model, the engine's batches, and ``queue`` more places for what waits.

    ``model`` is a future: it holds what ``load`` has returned, or the exception that it raised.
    """

    def __init__(
        self,
        load: Callable[[], Model],
        *,
        batch: int,
        queue: int,
        wait: float = 0.0,
        budget: Budget,
        metrics: Metrics,
    ) -> None:
        self._load = load
        self._metrics = metrics
        self._batcher = Batcher(batch=batch, wait=wait, on_batch=metrics.batch)
        # The engine knows the cores that a container's quota leaves, not only how many there are.
        threads = _core.engine()["threads"]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ffgan-files")
        # What takes seconds has threads of its own, and leaves cores to the rest.
        self._long = ThreadPoolExecutor(max(threads // 2, 1), thread_name_prefix="ffgan-images")
        # A face is measured by one thread; a budget of threads, so that clients take turns.
        self._measurers = ThreadPoolExecutor(threads, thread_name_prefix="ffgan-measure")
        self._measuring = Budget(threads, budget.seconds)
        self.budget = budget
        self._small = Budget(SMALL_MEMORY, budget.seconds)
        self._cache = SearchCache()
        self._seen = Seen()
        self._lock = threading.Lock()
        self._reloading = threading.Lock()
        self.batch = batch
        self.capacity = batch + queue
        # Some of the queue is for clients that hold less than their share of it.
        self._places = Places(self.capacity, queue // 2)
        most_long = max(self.capacity // 2, 1)
        self._long_places = Places(most_long, batch if most_long >= 4 * batch else 0, batch)
        metrics.watch(waiting=lambda: self._batcher.waiting, reserved=lambda: self._places.taken)
        self.model = self._pool.submit(self._load_model)

    def close(self) -> None:
        """Takes no more work; what runs or waits already is finished."""
        self._batcher.close()
        self._pool.shutdown(wait=False)
        self._long.shutdown(wait=False)
        self._measurers.shutdown(wait=False)

    # --- The model ---

    def _load_model(self) -> Model:
        model = self._load()
        self._metrics.model(model.hash)
        return model

    def reload(self) -> Future[Model]:
        """Loads the model again; requests get the new one as soon as it is loaded.

        If it cannot be loaded, the old one stays, and the future holds the exception.
        """

        def replace() -> Model:
            with self._reloading:  # so that the last request for a reload gets the newest file
                model = self._load_model()
                loaded: Future[Model] = Future()
                loaded.set_result(model)
                self.model = loaded
                return model

        return self._pool.submit(replace)

    def loaded(self) -> Model:
        """The model; raises Unavailable while there is none."""
        if not self.model.done():
            raise Unavailable("loading", "the model is still being loaded")
        if self.model.exception() is not None:
            raise Unavailable("failed", "the model could not be loaded; see the server's log")
        return self.model.result()

    # --- Admission ---

    def check_ready(self) -> None:
        """Raises Unavailable when a request for a face would be refused now."""
        self.loaded()
        if self._places.taken >= self.capacity:
            raise _busy()

    def reserve(self, client: str, places: int = 1, *, long: bool = False) -> Reservation:
        """Places in the queue for ``places`` faces of a client at a time; raises Unavailable.

        ``long`` is for responses of many faces, some of which last as long as the client likes:
        together they get at most half of the queue, and single faces find room beside them.
        """
        bounds = [self._places, self._long_places] if long else [self._places]
        places = min(places, *(bound.total for bound in bounds))
        with self._lock:
            if not all(bound.has_room(client, places) for bound in bounds):
                raise _busy()
            for bound in bounds:
                bound.take(client, places)
        return Reservation(lambda: self._release(bounds, client, places))

    def _release(self, bounds: list[Places], client: str, places: int) -> None:
        with self._lock:
            for bound in bounds:
                bound.take(client, -places)

    async def run(
        self,
        request: Request,
        work: Coroutine[Any, Any, T],
        *,
        places: int = 1,
        long: bool = False,
    ) -> T:
        """The result of ``work``, which draws up to ``places`` faces at once.

        ``long`` is as for ``reserve``. When the client disconnects, the work is cancelled and its
        places are released.

        Raises Unavailable if the queue is full or the server shuts down, Disconnected if the client
        has disconnected.
        """
        try:
            reservation = self.reserve(client_of(request), places, long=long)
        except Unavailable:
            work.close()
            raise
        with reservation:
            return await self.watch(request, work)

    async def watch(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which is cancelled when the client disconnects.

        Raises Unavailable if the server shuts down, Disconnected if the client has disconnected.
        """
        task = asyncio.ensure_future(work)
        disconnected = asyncio.ensure_future(wait_for_disconnect(request))
        try:
            await asyncio.wait((task, disconnected), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Disconnected
            return task.result()
        except asyncio.CancelledError as error:
            # This is how uvicorn ends requests that outlast its grace period.
            raise _stopping() from error
        finally:
            disconnected.cancel()
            task.cancel()

    # --- Work ---

    async def face(self, client: str, model: Model, seed: int, search: Search) -> Face:
        """The face of a seed, as ``Model.face`` finds it; a `ControlledFace` where constraints
        ask for one."""
        if search.asked is not None:
            return await self._controlled(client, model, seed, search, search.asked)
        face = await self._submit(client, model, self._search(model, seed, search))
        self._metrics.face(face.tries)
        return face

    async def latent(self, client: str, model: Model, seed: int, search: Search) -> SearchResult:
        """The latent of the face of a seed; nothing is drawn if the cache has it."""
        cached = self._cache.get((model.faces_id, seed, search))
        if cached is None:
            face = await self.face(client, model, seed, search)
            return SearchResult(face.latent, face.tries)
        self._metrics.face(cached.tries)
        self._metrics.search_cached()
        return cached

    async def _controlled(
        self, client: str, model: Model, seed: int, search: Search, asked: Asked
    ) -> ControlledFace:
        """The face of a seed that has what is asked of it."""
        key = (model.faces_id, seed, search)
        cached = self._cache.get(key)
        if cached is not None and cached.face is not None:
            self._metrics.search_cached()
            image, _ = await self.render(client, model, cached.latent)
            return dataclasses.replace(cached.face, image=image)
        fitted, wanted = attributes_of(model), asked.constraints

        def measure(image: UInt8, columns: Sequence[str]) -> dict[str, float]:
            return self._seen.measured(image, columns, measured)

        if asked.one_draw:
            free = await self._free(client, model, seed, search.free, asked.fit)
            steps = control.change(free, wanted, fitted, measure, threshold=search.threshold)
        else:
            steps = control.search(
                seed,
                wanted,
                fitted,
                measure,
                tries=search.tries,
                threshold=search.threshold,
                truncation=search.truncation,
            )
        face = await self._advance(client, model, asked.fit, steps)
        self._metrics.face(face.tries)
        # Without the images, which are large and soon rendered.
        free = dataclasses.replace(face.free, image=NO_IMAGE)
        kept = dataclasses.replace(face, image=NO_IMAGE, free=free)
        self._cache.add(key, SearchResult(face.latent, face.tries, kept))
        return face

    async def _advance(self, client: str, model: Model, fit: str, steps: Steps[T]) -> T:
        """The result of a job that measures between its steps, while the engine does other work.

        So it is resumed on other threads, and has a place in the engine's batches for each step.
        """

        def resume(judged: Judged | None) -> tuple[Step | None, T | None]:
            try:
                return (next(steps) if judged is None else steps.send(judged)), None
            except StopIteration as end:
                return None, end.value

        judged: Judged | None = None
        while True:
            step, result = await self.measure(client, functools.partial(resume, judged))
            if step is None:
                return cast(T, result)
            judged = await self._seen_or_rendered(client, model, step, fit)

    async def _free(self, client: str, model: Model, seed: int, search: Search, fit: str) -> Face:
        """The face of a seed without constraints, from which several set out."""
        found = await self.latent(client, model, seed, search)
        image, score = await self._seen_or_rendered(client, model, found.latent, fit)
        return Face(image, seed, found.latent, found.tries, score)

    async def _seen_or_rendered(
        self, client: str, model: Model, latent: Float32, fit: str
    ) -> Judged:
        key = (model.faces_id, fit, latent.tobytes())
        judged = self._seen.get(key)
        if judged is None:
            judged = await self.render(client, model, latent)
            self._seen.add(key, judged)
        return judged

    async def render(self, client: str, model: Model, latent: Float32) -> Judged:
        """The image of a latent (100,), and its score."""
        return await self._submit(client, model, _single(latent))

    async def attributes(self, client: str, model: Model, image: RGB) -> Mapping[str, float]:
        """What is measured on an image (162, 162, 3), by the columns that a model is fitted for."""
        work = functools.partial(measured, image, attributes_of(model).columns)
        return await self.measure(client, work)

    async def score(self, client: str, model: Model, image: UInt8) -> float:
        """The score of an image (162, 162, 3)."""
        return (await self._submit(client, model, _single(image)))[1]

    async def offload(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Runs other slow work, such as encoding a small file, on another thread."""
        return await self._on(self._pool, work, *args, **options)

    async def offload_long(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Runs work that takes seconds, such as decoding a photograph, where it delays no face."""
        return await self._on(self._long, work, *args, **options)

    async def in_budget(
        self, client: str, need: int, work: Callable[[], T], *, patient: bool = False
    ) -> T:
        """Runs work that takes ``need`` bytes, once the budget has room for them."""
        budget, pool = (self._small, self._pool) if need <= SMALL else (self.budget, self._long)
        return await self._within(budget, pool, client, need, work, patient=patient)

    async def measure(self, client: str, work: Callable[[], T]) -> T:
        """Runs work that measures a face, clients in turn."""
        return await self._within(self._measuring, self._measurers, client, 1, work, patient=True)

    async def _within(
        self,
        budget: Budget,
        pool: ThreadPoolExecutor,
        client: str,
        need: int,
        work: Callable[[], T],
        *,
        patient: bool,
    ) -> T:
        """Work that has begun cannot be stopped, so its room is given back when it has ended, also
        where its client has disconnected."""
        claim = await budget.claim(client, need, patient=patient)
        try:
            future = pool.submit(work)
        except RuntimeError as error:
            claim.release()
            raise _stopping() from error
        future.add_done_callback(lambda _: claim.release())
        return await asyncio.wrap_future(future)

    def room(self, client: str, need: int) -> AbstractAsyncContextManager[None]:
        """Room for ``need`` bytes, for work in several steps: see ``Budget.room``."""
        return (self._small if need <= SMALL else self.budget).room(client, need)

    async def encode(
        self,
        client: str,
        picture: Picture,
        image: RGB,
        metadata: Mapping[str, str],
        *,
        patient: bool = False,
    ) -> bytes:
        """A picture's file; a large one waits for the budget."""
        if picture.need <= TINY:
            return await self.offload(picture.encode, image, metadata)
        work = functools.partial(picture.encode, image, metadata)
        return await self.in_budget(client, picture.need, work, patient=patient)

    async def _on(
        self, pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **options: P.kwargs
    ) -> T:
        try:
            return await asyncio.wrap_future(pool.submit(work, *args, **options))
        except RuntimeError as error:
            raise _stopping() from error

    async def _submit(self, client: str, model: Model, steps: Steps[T]) -> T:
        try:
            future = self._batcher.submit(client, model, steps)
        except RuntimeError as error:
            raise _stopping() from error
        return await asyncio.wrap_future(future)

    def _search(self, model: Model, seed: int, how: Search) -> Steps[Face]:
        """The candidate search; a cached one goes straight to its result."""
        key = (model.faces_id, seed, how)
        if (cached := self._cache.get(key)) is not None:
            self._metrics.search_cached()
            image, score = yield cached.latent
            return Face(image, seed, cached.latent, cached.tries, score)
        face = yield from search(
            seed, tries=how.tries, threshold=how.threshold, truncation=how.truncation
        )
        self._cache.add(key, SearchResult(face.latent, face.tries))
        return face


class Reservation:
    """Places in the queue; released once, by ``with`` or by ``close``."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _busy() -> Unavailable:
    return Unavailable("busy", "too many requests are waiting; try again in a moment")


def _stopping() -> Unavailable:
    return Unavailable("stopping", "the server is shutting down")


def _single(step: np.ndarray[Any, Any]) -> Generator[np.ndarray[Any, Any], Judged, Judged]:
    judged = yield step
    return judged
