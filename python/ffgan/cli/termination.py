# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM, and SIGHUP of a closed terminal, end a command as Ctrl+C does: with its cleaning up."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


class Terminated(KeyboardInterrupt):
    """A signal ended the command; ``exit_code`` is the shell's for it, 143 or 129."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@contextlib.contextmanager
def signals_end() -> Iterator[None]:
    """Within it the first of `SIGNALS` raises `Terminated`; SIGHUP stays ignored if it was (nohup).

    The later ones change nothing: a closed terminal sends SIGHUP twice, itself and by its shell,
    and `timeout` SIGTERM. Outside the main thread the context does nothing: Python allows no more.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, end)
        for number in SIGNALS
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def explain_stop(stop: KeyboardInterrupt) -> tuple[str, int]:
    """How the command was stopped, and the exit status."""
    if isinstance(stop, Terminated):
        return str(stop), stop.exit_code
    return "stopped with Ctrl+C", 130
