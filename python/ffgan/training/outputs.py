# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run writes on its way: a disk that is full or away costs a line and no step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ffgan import storage
from ffgan.dataset.availability import default_patience
from ffgan.errors import Error
from ffgan.training.telling import Teller

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0

Failure = (Error, OSError)


class Outputs:
    """Writes that may fail while the run goes on, and those at its end, which are waited for.

    A failure is said once for each kind of file, until it is written again or the reason changes.
    """

    def __init__(self, tell: Teller, interrupted: Callable[[], bool]) -> None:
        self._tell = tell
        self._interrupted = interrupted
        self._failed: dict[str, str] = {}

    def attempt(self, what: str, write: Callable[[], object]) -> bool:
        """Write, and return whether it worked; ``what`` is the kind of file, for people."""
        try:
            write()
        except Failure as error:
            cause = error.__cause__ or error
            # Without the name of a file, which may be another one each time.
            reason = storage.reason(cause) if isinstance(cause, OSError) else str(cause)
            if self._failed.get(what) != reason:
                self._tell.warning(f"{error}; training goes on without it")
            self._failed[what] = reason
            return False
        if self._failed.pop(what, None):
            self._tell.info(f"{what} can be written again")
        return True

    def insist(self, write: Callable[[], object]) -> None:
        """Write; where that fails, try again until the time of `default_patience` is over.

        A signal ends the waiting. Raises what the last try raised.
        """
        patience, began, pause = default_patience(), time.monotonic(), FIRST_PAUSE
        said = False
        while True:
            try:
                write()
                return
            except Failure as error:
                left = patience - (time.monotonic() - began)
                if left <= 0 or self._interrupted():
                    raise
                if not said:
                    said = True
                    self._tell.warning(f"{error}; trying again for {left:.0f} s")
            self._pause(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._interrupted():
            time.sleep(min(0.1, left))
