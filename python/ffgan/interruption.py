# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals during long work: the first one asks, a second Ctrl+C or SIGTERM ends the process.

SIGHUP, which comes when a terminal is closed or a connection drops, only asks: then the shell and
the system send it again, or SIGTERM after it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from types import FrameType, TracebackType

from ffgan.errors import Error

logger = logging.getLogger("ffgan.interruption")

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP
ENDING = (signal.SIGINT, signal.SIGTERM)
"""Those of which a second one ends the process."""
ECHO_SECONDS = 0.2
"""What comes so soon after the first signal is the same one: `timeout` sends it to the process and
to its group."""


class Interrupted(Error):
    """A signal stopped the work; ``exit_code``: 130 for Ctrl+C, 143 for SIGTERM, 129 for SIGHUP."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class Interruption:
    """A context in which a signal of `SIGNALS` only sets ``received``, until the second one.

    SIGHUP never ends the process, and stays ignored where it is (nohup).

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
            self._old_handlers = {
                number: signal.signal(number, _ignore)
                for number in SIGNALS
                if number in ENDING or signal.getsignal(number) is not signal.SIG_IGN
            }
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
                if handler is not None:  # it was not one of Python's
                    signal.signal(number, handler)
            signal.set_wakeup_fd(self._old_descriptor)
            self._writer.close()
            self._thread.join()
            self._reader.close()

    def _watch(self) -> None:
        asked: float | None = None
        while content := self._reader.recv(64):
            for number in content:
                if number not in self._old_handlers:
                    continue
                if self.received is None:
                    self.received = number
                    logger.warning(f"{self._work}; once more to stop at once")
                if number in ENDING:
                    now = time.monotonic()
                    if asked is not None and now - asked > ECHO_SECONDS:
                        os._exit(128 + number)
                    asked = now if asked is None else asked


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler must exist for the wakeup descriptor to be written to; the thread does the work."""
