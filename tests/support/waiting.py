# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_SECONDS = 60


def until(happened: Callable[[], object], pause: float = 0.01) -> None:
    """Return once `happened()` is true; a minute is too long even on a busy machine."""
    end = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(pause)
