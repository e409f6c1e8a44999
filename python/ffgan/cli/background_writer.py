# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing to a terminal, pipe or socket of which the reader may stop reading, without leaving.

Ctrl+S, a connection that is cut without a word, a stopped log viewer: then a write waits, maybe for
ever.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import Final

PATIENCE: Final = 2.0
"""Seconds that one write waits for a reader; later ones do not, until something is read again."""

ROOM: Final = 1 << 20
"""Bytes that are kept meanwhile, to be shown when somebody reads again."""

LOST: Final = b"\nffgan: what came while nobody read is lost, but for its beginning\n"


class BackgroundWriter:
    """Writes to a descriptor in a thread, in order; whoever writes waits ``patience`` at most.

    The waiting keeps the order with what other streams write to the same terminal.
    """

    def __init__(self, descriptor: int, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._descriptor = descriptor
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._pending: deque[bytes] = deque()
        self._size = 0
        self._stuck = False
        self._lost = False
        self._error: OSError | None = None
        threading.Thread(target=self._work, name="output", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write, and return once it is written or nobody reads; raises OSError of the last write.

        Without a reader ``data`` is kept for later, or dropped if there is no `ROOM`.
        """
        if self._process != os.getpid():
            self._start()  # a forked process has none of its parent's threads
        with self._changed:
            if self._stuck and self._size + len(data) > ROOM:
                self._lost = True
                return
            self._pending.append(data)
            self._size += len(data)
            self._changed.notify_all()
            if not self._stuck:
                self._stuck = not self._changed.wait_for(self._is_done, self.patience)
            if self._error is not None:
                error, self._error = self._error, None
                raise error

    def finish(self) -> None:
        """Wait a last time for what is kept."""
        with self._changed:
            if self._process == os.getpid():
                self._changed.wait_for(self._is_done, PATIENCE)

    def _is_done(self) -> bool:
        return not self._pending

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                data = self._pending[0]
            error = self._write(data)
            with self._changed:
                self._size -= len(self._pending.popleft())
                self._error = error or self._error
                if not self._pending:
                    if self._lost and error is None:
                        self._pending.append(LOST)
                        self._size += len(LOST)
                    else:
                        self._stuck = False
                        self._changed.notify_all()
                    self._lost = False

    def _write(self, data: bytes) -> OSError | None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another program has made the terminal a non-blocking one
                select.select([], [self._descriptor], [])
            except OSError as error:
                return error
        return None
