# SPDX-License-Identifier: GPL-3.0-or-later
"""Dynamic batching: one engine for all requests, which are computed together.

The engine uses every core for a single face already, so two calls at once would only slow each
other down; one call for several faces takes less time than one call each. So a single thread
calls it, always with everything that waits, up to a batch. There is no batching delay: while a
batch is computed, the next one fills.

A job is a generator: it yields what it wants computed next, a latent to be rendered and scored or
an image to be scored, is sent the image and its score, and returns its result. So a candidate
search takes part in as many batches as it has draws. Clients take turns, a step each: who has many
jobs, or long ones, delays others by one step a turn.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffgan.model import Model
from ffgan.model.candidate_search import Judged

T = TypeVar("T")
Step: TypeAlias = NDArray[Any]
Steps: TypeAlias = Generator[Step, Judged, T]


class Batcher:
    """Advances jobs: clients in turn, of each the one that waits longest.

    After each batch, ``on_batch`` is called with its number of steps and its seconds.
    """

    def __init__(
        self, *, batch: int, wait: float = 0.0, on_batch: Callable[[int, float], None]
    ) -> None:
        self._batch = batch
        self._wait = wait
        self._on_batch = on_batch
        self._jobs: OrderedDict[str, deque[_Job[Any]]] = OrderedDict()  # clients by their turn
        self._waiting = 0
        self._lock = threading.Lock()
        self._running = False
        # Its thread ends with it, or with the interpreter.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ffgan-engine")

    def submit(self, client: str, model: Model, steps: Steps[T]) -> Future[T]:
        """The future result of a client's job; cancelling it takes the job out of the next batch.

        Raises RuntimeError after ``close``.
        """
        job = _Job(client, model, steps)
        with self._lock:
            if not self._running:
                self._thread.submit(self._run)
                self._running = True
            self._jobs.setdefault(client, deque()).append(job)
            self._waiting += 1
        return job.future

    @property
    def waiting(self) -> int:
        """Jobs that wait for their first or next batch."""
        return self._waiting

    def close(self) -> None:
        """Takes no more jobs; those that wait are still done."""
        self._thread.shutdown(wait=False)

    def _run(self) -> None:
        try:
            if self._wait and self.waiting < self._batch:
                time.sleep(self._wait)
            while jobs := self._take():
                self._advance(jobs)
        except BaseException as error:
            # No request may wait for a thread that has ended.
            with self._lock:
                jobs_left = [job for queue in self._jobs.values() for job in queue]
                self._jobs.clear()
                self._waiting, self._running = 0, False
            for job in jobs_left:
                job.fail(error)
            raise

    def _take(self) -> list[_Job[Any]]:
        """The next batch: jobs of one model, each with a step to compute."""
        taken: list[_Job[Any]] = []
        with self._lock:
            while self._jobs and len(taken) < self._batch:
                client, queue = next(iter(self._jobs.items()))
                if taken and queue[0].model is not taken[0].model:
                    break
                job = queue.popleft()
                self._waiting -= 1
                if queue:
                    self._jobs.move_to_end(client)
                else:
                    del self._jobs[client]
                if job.begin():
                    taken.append(job)
            if not taken:
                self._running = False
        return taken

    def _advance(self, jobs: Sequence[_Job[Any]]) -> None:
        begin = time.perf_counter()
        try:
            results = render_and_score(
                jobs[0].model, [job.step for job in jobs if job.step is not None]
            )
            self._on_batch(len(jobs), time.perf_counter() - begin)
        except BaseException as error:
            for job in jobs:
                job.fail(error)
            if not isinstance(error, Exception):
                raise
            return
        unfinished = [job for job, result in zip(jobs, results, strict=True) if job.advance(result)]
        with self._lock:
            for job in unfinished:
                self._jobs.setdefault(job.client, deque())
            for job in reversed(unfinished):  # before the others of its client
                self._jobs[job.client].appendleft(job)
            self._waiting += len(unfinished)


class _Job(Generic[T]):
    def __init__(self, client: str, model: Model, steps: Steps[T]) -> None:
        self.client = client
        self.model = model
        self.future: Future[T] = Future()
        self.step: Step | None = None
        self._steps = steps

    def begin(self) -> bool:
        """Whether it has a step to compute: not if it was cancelled or fails at once."""
        if self.future.cancelled():
            self._steps.close()
            return False
        return self.step is not None or self._resume(lambda: next(self._steps))

    def advance(self, result: Judged) -> bool:
        """Whether it has another step after this result."""
        return self._resume(lambda: self._steps.send(result))

    def fail(self, error: BaseException) -> None:
        # A future that was cancelled meanwhile accepts no exception.
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)

    def _resume(self, next_step: Callable[[], Step]) -> bool:
        try:
            self.step = next_step()
            return True
        except StopIteration as end:
            if self.future.set_running_or_notify_cancel():
                self.future.set_result(end.value)
        except Exception as error:
            self.fail(error)
        return False


def render_and_score(model: Model, steps: Sequence[Step]) -> list[Judged]:
    """Renders the latents among ``steps`` and scores all: each one's image and score, in order."""
    latents = [step for step in steps if step.ndim == 1]
    rendered = iter(model.render(np.stack(latents)) if latents else ())
    # Copies: a view would keep the whole batch in memory for as long as one face lives.
    images = [next(rendered).copy() if step.ndim == 1 else step for step in steps]
    scores = model.score(np.stack(images))
    return [(image, float(score)) for image, score in zip(images, scores, strict=True)]
