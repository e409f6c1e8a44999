# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches made ahead in threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import Error, UnavailableError
from ffgan.typing import RGB

LAST_WAIT: Final = 5.0
"""Seconds that a batch may still take after an interruption."""

_POLL = 0.5

Item = TypeVar("Item")
Result = TypeVar("Result")

Part: TypeAlias = tuple[int, int]
"""Which images of a batch: (r, n) stands for r, r + n, r + 2 n ..."""

WHOLE: Final = (0, 1)


class Batch(NamedTuple):
    """Images (n, size, size, 3) uint8 RGB, and where each came from.

    ``indices`` (n,) are the images' places in the data set, ``mirrored`` (n,) says which of them
    are mirrored.
    """

    images: RGB
    indices: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def first(self, count: int) -> Batch:
        """The first images of it."""
        return Batch(self.images[:count], self.indices[:count], self.mirrored[:count])


class Batches(Iterator[Result], Generic[Result]):
    """An endless iterator that makes the next few batches in threads; `close` stops them.

    Where one raises UnavailableError, that is raised once its turn comes, and the next call makes
    the same batch anew. Once ``interrupted()`` is true, a batch that does not come is given up in
    the same way: a read from a server that is away may never return.
    """

    def __init__(
        self,
        make: Callable[[int, threading.Event], Result],
        start: int,
        workers: int,
        interrupted: Callable[[], object] = lambda: False,
    ) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(workers, "ffgan-decode")
        self._make = make
        self._interrupted = interrupted
        self._ahead = deque(self._submit(start + ahead) for ahead in range(workers + 1))
        self._next = start + workers + 1

    def _submit(self, number: int) -> Future[Result]:
        return self._pool.submit(self._make, number, self._stop)

    def __next__(self) -> Result:
        if self._stop.is_set():
            raise Error("the batches are closed: call Dataset.batches again")
        if self._ahead[0].done():
            self._try_again()  # it may have failed long ago
        future = self._ahead[0]
        try:
            self._wait(future)
            batch = future.result()
        except CancelledError as error:
            raise Error("the batches were closed while one was waited for") from error
        except UnavailableError:
            self._try_again()
            raise
        except Exception:
            self.close()
            raise
        self._ahead.popleft()
        self._ahead.append(self._submit(self._next))
        self._next += 1
        return batch

    def _try_again(self) -> None:
        """Make those batches anew for which a file could not be read."""
        first = self._next - len(self._ahead)
        for place, future in enumerate(self._ahead):
            failed = future.done() and not future.cancelled() and future.exception()
            if isinstance(failed, UnavailableError):
                self._ahead[place] = self._submit(first + place)

    def _wait(self, future: Future[Result]) -> None:
        given_up = None
        while not wait([future], _POLL).done:
            if self._interrupted():
                given_up = given_up or time.monotonic() + LAST_WAIT
                if time.monotonic() > given_up:
                    raise UnavailableError("the images do not come")

    def close(self) -> None:
        """Returns once the image that each thread is at is done."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._stop.set()
            self._pool.shutdown(wait=False, cancel_futures=True)


def worked_ahead(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], count: int
) -> Iterator[Result]:
    """The results of ``work`` in the order of ``items``; at most ``count`` are made ahead."""
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= count:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
