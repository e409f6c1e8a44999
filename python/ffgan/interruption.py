# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl+C and SIGTERM during long work: the first one asks, the second one ends the process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType, TracebackType

from ffgan.errors import Error

logger = logging.getLogger("ffgan.interruption")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = "\x1b[?25h"


class Interrupted(Error):
    """The user stopped the work; ``exit_code`` is 130 after Ctrl+C, 143 after SIGTERM."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class Interruption:
    """A context in which SIGINT and SIGTERM only set ``received``, until the second one.

    Python runs its signal handlers between two of its own instructions, so a step in C++ that takes
    seconds would hold up the second Ctrl+C as well. Hence a thread that waits on the wakeup
    descriptor; it logs a line about the first signal. Outside the main thread the context does
    nothing: Python allows no more.
    """

    def __init__(self, work: str) -> None:
        self.received: int | None = None
        self._work = work
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interruption:
        if self._main:
            self._reader, self._writer = socket.socketpair()
            self._writer.setblocking(False)
            self._old_descriptor = signal.set_wakeup_fd(self._writer.fileno())
            self._old_handlers = {number: signal.signal(number, _ignore) for number in SIGNALS}
            self._thread = threading.Thread(target=self._watch, name="interruption", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._main:
            for number, handler in self._old_handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._old_descriptor)
            self._writer.close()
            self._thread.join()
            self._reader.close()

    def _watch(self) -> None:
        while content := self._reader.recv(64):
            for number in content:
                if number not in SIGNALS:
                    continue
                if self.received is not None:
                    if sys.stderr.isatty():
                        sys.stderr.write(SHOW_CURSOR)
                        sys.stderr.flush()
                    os._exit(128 + number)
                self.received = number
                logger.warning(f"{self._work}; once more to stop at once")


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler must exist for the wakeup descriptor to be written to; the thread does the work."""
