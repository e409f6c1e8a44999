# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranks that are threads of one process: what mpiexec starts, without it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 600.0


class Together:
    """What the threads share: a place for what each gives, and a barrier."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=PATIENCE)
        self.given: list[Any] = [None] * size


class ThreadCarrier:
    """A `Carrier` for thread ``rank``; ``beside``: what another one of each thread shares."""

    def __init__(self, together: Together, rank: int, beside: Together | None = None) -> None:
        self.rank = rank
        self.size = together.size
        self.aborted: int | None = None
        self._together = together
        self._beside = beside

    def apart(self) -> ThreadCarrier | None:
        return None if self._beside is None else ThreadCarrier(self._beside, self.rank)

    def waited(self, seconds: float) -> None:
        assert seconds >= 0

    def _given(self, own: bytes) -> list[bytes]:
        self._together.given[self.rank] = own
        self._together.barrier.wait()
        every = list(self._together.given)
        self._together.barrier.wait()
        return every

    def gather(self, own: memoryview, all: memoryview) -> None:
        all[:] = b"".join(self._given(bytes(own)))

    def exchange(self, parts: memoryview, received: memoryview) -> None:
        length = len(parts) // self.size
        begin = self.rank * length
        received[:] = b"".join(one[begin : begin + length] for one in self._given(bytes(parts)))

    def objects(self, own: Any) -> list[Any]:
        return [pickle.loads(one) for one in self._given(pickle.dumps(own))]

    def abort(self, status: int) -> None:
        self.aborted = status
        self._together.barrier.abort()


def run_ranks(
    size: int, work: Callable[[ThreadCarrier], T], *, beside: bool = True
) -> list[T | BaseException]:
    """What ``work`` returns or raises in each of ``size`` threads.

    ``beside``: whether bytes can be carried beside a pass.
    """
    together = Together(size)
    other = Together(size) if beside else None
    results: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadCarrier(together, rank, other))
        except BaseException as error:
            results[rank] = error
            if isinstance(error, Exception) and not getattr(error, "met_by_all", False):
                together.barrier.abort()  # else the others would wait for it
                if other is not None:
                    other.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
