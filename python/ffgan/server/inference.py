# SPDX-License-Identifier: GPL-3.0-or-later
"""Inference off the event loop: a pool of threads with a bounded queue in front of it.

A face costs tens of milliseconds of every core. Without the bound, a burst of requests would make
everyone wait longer than any client does, for faces that nobody is there to receive any more.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from ffgan.model import Model

T = TypeVar("T")


class Unavailable(Exception):
    """No inference now; `reason` is `loading`, `failed`, `busy` or `stopping`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Disconnected(Exception):
    """The client left before its answer was ready."""


class Inference:
    """One model, `workers` threads that call it, and room for `queue` more requests that wait.

    `model` is a future: it holds the model once `load` has returned, or the exception it raised.
    """

    def __init__(self, load: Callable[[], Model], *, workers: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="ffgan-inference")
        self._free = threading.Semaphore(workers + queue)
        self.model = self._executor.submit(load)

    def close(self) -> None:
        """Drops what still waits; what runs already is left to finish."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def loaded(self) -> Model:
        """The model; raises Unavailable while there is none."""
        if not self.model.done():
            raise Unavailable("loading", "the model is still being loaded")
        if self.model.exception() is not None:
            raise Unavailable("failed", "the model could not be loaded; see the server's log")
        return self.model.result()

    def check_ready(self) -> None:
        """Raises Unavailable when a request for a face would be turned away now."""
        self.loaded()
        self._reserve()
        self._free.release()

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """Runs `work` in the pool; it is dropped from the queue when the client hangs up.

        Raises:
            Unavailable: the queue is full, or the server ends.
            Disconnected: the client has gone.
        """
        self._reserve()
        try:
            future = self._executor.submit(work)
        except RuntimeError as error:
            self._free.release()
            raise Unavailable("stopping", "the server is shutting down") from error
        future.add_done_callback(lambda _: self._free.release())
        result = asyncio.wrap_future(future)
        hung_up = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((result, hung_up), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:
            # So uvicorn ends the requests that its grace period was too short for.
            raise Unavailable("stopping", "the server is shutting down") from error
        finally:
            hung_up.cancel()
            # Cancelling reaches the pool's future too: a no-op where the work is done or runs.
            answered = result.done()
            result.cancel()
        if not answered:
            raise Disconnected
        return result.result()

    def _reserve(self) -> None:
        if not self._free.acquire(blocking=False):
            raise Unavailable("busy", "too many requests are waiting; try again in a moment")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
