# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches made ahead in threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from ffgan.errors import Error
from ffgan.typing import RGB


class Batches(Iterator[RGB]):
    """An endless iterator that makes the next few batches in threads; `close` stops them."""

    def __init__(
        self,
        make: Callable[[int, threading.Event], RGB],
        start: int,
        workers: int,
    ) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(workers, "ffgan-decode")
        self._make = make
        self._next = start
        self._ahead: deque[Future[RGB]] = deque()
        for _ in range(workers + 1):
            self._submit()

    def _submit(self) -> None:
        self._ahead.append(self._pool.submit(self._make, self._next, self._stop))
        self._next += 1

    def __next__(self) -> RGB:
        if self._stop.is_set():
            raise Error("the batches are closed: call Dataset.batches again")
        try:
            batch = self._ahead[0].result()
        except CancelledError as error:
            raise Error("the batches were closed while one was waited for") from error
        except Exception:
            self.close()
            raise
        self._ahead.popleft()
        self._submit()
        return batch

    def close(self) -> None:
        """Returns once the image that each thread is at is done."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._stop.set()
            self._pool.shutdown(wait=False, cancel_futures=True)


def decode_ahead(
    pool: ThreadPoolExecutor, work: Callable[[int], RGB], items: Iterable[int], count: int
) -> Iterator[RGB]:
    """The results of ``work`` in the order of ``items``; at most ``count`` are made ahead."""
    pending: deque[Future[RGB]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= count:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
