# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for files that cannot be read at the moment: a drive that is away, a server that is down.

That is neither a finding about the file nor a reason to lose work, so it is waited for.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from ffgan.errors import UnavailableError, UsageError

logger = logging.getLogger("ffgan.dataset")

PATIENCE: Final = 300.0
"""Seconds that `Availability` waits, where nothing else is asked for."""

PATIENCE_VARIABLE: Final = "FFGAN_PATIENCE"
"""Environment variable with another number of seconds; 0: not at all."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0

_POLL = 0.1

Result = TypeVar("Result")


def default_patience() -> float:
    """The seconds in `PATIENCE_VARIABLE`, else `PATIENCE`; raises UsageError for no number."""
    text = os.environ.get(PATIENCE_VARIABLE, "")
    if not text:
        return PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"{PATIENCE_VARIABLE}={text}: give seconds, 0 or more")
    return seconds


class Availability:
    """Waits where reading raises UnavailableError: up to ``patience`` seconds, in any thread.

    A line is logged when the waiting begins and when it is over, whatever the number of threads
    that wait. ``interrupted`` is asked ten times a second; once it is true, nothing is waited for.
    """

    def __init__(
        self,
        patience: float | None = None,
        interrupted: Callable[[], object] = lambda: False,
    ) -> None:
        self.patience = default_patience() if patience is None else patience
        self.interrupted = interrupted
        self._given_up = False
        self._lock = threading.Lock()
        self._waiting = 0
        self._began = 0.0

    def wait_for(
        self, read: Callable[[], Result], stopped: Callable[[], object] = lambda: False
    ) -> Result:
        """``read()``, again and again with growing pauses while it raises UnavailableError.

        Raises that error when the time is over or after an interruption, also when ``stopped()`` is
        true, which is for the end of one thread.
        """
        try:
            return read()
        except UnavailableError as error:
            if not self.patience:
                raise
            began = self._begin(error)
        came = False
        try:
            pause = FIRST_PAUSE
            while True:
                end = time.monotonic() + pause
                while (left := end - time.monotonic()) > 0 and not self._over(stopped):
                    time.sleep(min(_POLL, left))
                try:
                    found = read()
                    came = True
                    return found
                except UnavailableError as error:
                    if self._over(stopped):
                        raise
                    waited = time.monotonic() - began
                    if waited >= self.patience:
                        raise UnavailableError(
                            f"{error}; waited for {waited:.0f} s: run the same command again once "
                            "it can be read"
                        ) from error
                    pause = min(2 * pause, LONGEST_PAUSE, max(_POLL, self.patience - waited))
        finally:
            self._end(came)

    def give_up(self) -> None:
        """End all waiting, now and later: nobody needs what is waited for any more."""
        self._given_up = True

    def _over(self, stopped: Callable[[], object]) -> bool:
        return bool(self._given_up or self.interrupted() or stopped())

    def _begin(self, error: UnavailableError) -> float:
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._began = time.monotonic()
                logger.warning("%s; waiting", error)
            return time.monotonic()

    def _end(self, came: bool) -> None:
        with self._lock:
            self._waiting -= 1
            if came and not self._waiting:
                logger.warning("reading goes on, after %.0f s", time.monotonic() - self._began)
