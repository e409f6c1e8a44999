# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a run: seconds in which this process could work, and no others."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final

BEAT: Final = 1.0
"""Seconds between two looks at the time."""

STOOD_STILL: Final = 10.0
"""A longer gap between two looks is one in which the process was suspended."""


class Clock:
    """Seconds that go on while this process runs, within the context.

    They leave out the time in which it was stopped (Ctrl+Z, SIGSTOP, a paused container), which the
    system's monotonic clock counts, and that of a suspended computer, which it counts on some
    systems. Nor does setting the date change them. A thread looks at the time each second; where
    two looks are further apart than `STOOD_STILL`, the process stood still.
    """

    def __init__(self, *, beat: float = BEAT, stood_still: float = STOOD_STILL) -> None:
        self._beat = beat
        self._stood_still = stood_still
        self._lock = threading.Lock()
        self._left_out = 0.0
        self._last: float | None = None
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Clock:
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        self._last = None

    def now(self) -> float:
        """Seconds since some moment, the same one for as long as the clock lives."""
        with self._lock:
            now = time.monotonic()
            # Outside the context nobody has looked, and a gap means nothing.
            if self._last is not None:
                gap = now - self._last
                if gap > self._stood_still:
                    self._left_out += gap - self._beat
                self._last = now
            return now - self._left_out

    def _watch(self) -> None:
        while not self._end.wait(self._beat):
            self.now()
