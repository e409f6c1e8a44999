# SPDX-License-Identifier: GPL-3.0-or-later
"""Room in memory that threads share, so that several large images do not add up."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Room:
    """``total`` bytes, of which threads hold some while they work.

    What needs more than all of them is let in while nobody else holds any. First come, first
    served: what needs much is not passed by what needs little.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._used = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, need: int) -> Iterator[None]:
        """Wait for ``need`` bytes, and give them back at the end."""
        ticket = object()

        def is_my_turn() -> bool:
            fits = not self._used or self._used + need <= self.total
            return self._waiting[0] is ticket and fits

        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(is_my_turn)
                self._used += need
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._used -= need
                self._changed.notify_all()
