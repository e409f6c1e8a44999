# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on many items in threads: results in order, progress, and an end after a signal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ffgan.interruption import Interrupted, Interruption
from ffgan.typing import ProgressCallback

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Workers:
    """``count`` threads; ``advice``: the end of the message after an interruption."""

    count: int
    interruption: Interruption
    progress: ProgressCallback
    advice: str

    def map(
        self, what: str, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        """Yield ``work`` of each item, in their order.

        After a signal no other item is begun; once the begun ones are done, raises `Interrupted`.
        """
        pending: deque[Future[Result]] = deque()
        waiting = iter(items)
        done = 0
        with ThreadPoolExecutor(self.count, "ffgan-extract") as pool:
            try:
                while True:
                    while len(pending) < 2 * self.count and self.interruption.received is None:
                        try:
                            pending.append(pool.submit(work, next(waiting)))
                        except StopIteration:
                            break
                    if not pending:
                        break
                    yield pending.popleft().result()
                    done += 1
                    self.progress(what, done, len(items))
            finally:
                for future in pending:
                    future.cancel()
        if done < len(items) and self.interruption.received is not None:
            raise Interrupted(
                f"stopped {what}, {done:,} of {len(items):,} done: {self.advice}",
                self.interruption.received,
            )
