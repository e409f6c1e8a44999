# SPDX-License-Identifier: GPL-3.0-or-later
"""One engine for all requests: what waits for it is computed together.

The engine uses every core for a single face already, so two calls at once would only get in each
other's way; one call for several faces takes less time than one call each. So a single thread
calls it, always with as much as is there, up to a batch. Nobody waits for company: while a batch
is computed, the next one gathers.

A job is a generator: it yields what it wants computed next, a latent to be rendered and judged or
an image to be judged, is sent the image and its score, and returns its result. So a candidate
search takes a place in as many batches as it has draws, and leaves with the last of them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
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
    """Advances jobs, the longest waiting first.

    `computed` is told of each batch: how many steps it had and how many seconds it took.
    """

    def __init__(
        self, *, batch: int, wait: float = 0.0, computed: Callable[[int, float], None]
    ) -> None:
        self._batch = batch
        self._wait = wait
        self._computed = computed
        self._jobs: deque[_Job[Any]] = deque()
        self._lock = threading.Lock()
        self._running = False
        # Its thread ends with it, or with the interpreter.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ffgan-engine")

    def submit(self, model: Model, steps: Steps[T]) -> Future[T]:
        """The future result of a job; cancelling it takes the job out of the next batch.

        Raises RuntimeError after `close`.
        """
        job = _Job(model, steps)
        with self._lock:
            if not self._running:
                self._thread.submit(self._run)
                self._running = True
            self._jobs.append(job)
        return job.future

    @property
    def waiting(self) -> int:
        """Jobs that wait for their first or next batch."""
        return len(self._jobs)

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
            # Nobody may wait for ever for a thread that has ended.
            with self._lock:
                left, self._jobs, self._running = self._jobs, deque(), False
            for job in left:
                job.fail(error)
            raise

    def _take(self) -> list[_Job[Any]]:
        """The next batch: jobs of one model, each with a step that waits."""
        taken: list[_Job[Any]] = []
        with self._lock:
            while self._jobs and len(taken) < self._batch:
                job = self._jobs[0]
                if taken and job.model is not taken[0].model:
                    break
                self._jobs.popleft()
                if job.begin():
                    taken.append(job)
            if not taken:
                self._running = False
        return taken

    def _advance(self, jobs: Sequence[_Job[Any]]) -> None:
        begin = time.perf_counter()
        try:
            answers = judge(jobs[0].model, [job.step for job in jobs if job.step is not None])
            self._computed(len(jobs), time.perf_counter() - begin)
        except BaseException as error:
            for job in jobs:
                job.fail(error)
            if not isinstance(error, Exception):
                raise
            return
        unfinished = [job for job, answer in zip(jobs, answers, strict=True) if job.advance(answer)]
        with self._lock:
            self._jobs.extendleft(reversed(unfinished))


class _Job(Generic[T]):
    def __init__(self, model: Model, steps: Steps[T]) -> None:
        self.model = model
        self.future: Future[T] = Future()
        self.step: Step | None = None
        self._steps = steps

    def begin(self) -> bool:
        """Whether it has a step to compute: not where it was cancelled or fails at once."""
        if self.future.cancelled():
            self._steps.close()
            return False
        return self.step is not None or self._go(lambda: next(self._steps))

    def advance(self, answer: Judged) -> bool:
        """Whether it goes on after this answer."""
        return self._go(lambda: self._steps.send(answer))

    def fail(self, error: BaseException) -> None:
        # A future that was cancelled meanwhile would not take it.
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)

    def _go(self, resume: Callable[[], Step]) -> bool:
        try:
            self.step = resume()
            return True
        except StopIteration as end:
            if self.future.set_running_or_notify_cancel():
                self.future.set_result(end.value)
        except Exception as error:
            self.fail(error)
        return False


def judge(model: Model, steps: Sequence[Step]) -> list[Judged]:
    """Render the latents among `steps`, judge all: an image and its score for each, in order."""
    latents = [step for step in steps if step.ndim == 1]
    rendered = iter(model.render(np.stack(latents)) if latents else ())
    # Copies: a view would keep the whole batch in memory for as long as one face is.
    images = [next(rendered).copy() if step.ndim == 1 else step for step in steps]
    scores = model.score(np.stack(images))
    return [(image, float(score)) for image, score in zip(images, scores, strict=True)]
