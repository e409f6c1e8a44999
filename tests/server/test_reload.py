# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGHUP loads the model again, whatever the event loop was doing when it came."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from support.waiting import until

from ffgan.server.run import reload_on_sighup


class Reloading:
    """Stands for `Inference`: to reload, it needs a lock that its other work takes, too."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.got_the_lock: list[bool] = []

    def reload(self) -> Future[Any]:
        self.got_the_lock.append(self.lock.acquire(timeout=5))
        if self.got_the_lock[-1]:
            self.lock.release()
        loaded: Future[Any] = Future()
        loaded.set_result(SimpleNamespace(hash="0123456789abcdef01234567"))
        return loaded


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_signal_that_comes_while_a_lock_is_held_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = signal.getsignal(signal.SIGHUP)
    inference = Reloading()
    with caplog.at_level("INFO", "ffgan.server"), reload_on_sighup(inference):
        with inference.lock:
            signal.raise_signal(signal.SIGHUP)
        until(lambda: caplog.messages)
    assert inference.got_the_lock == [True]
    assert caplog.messages == ["the model is now 0123456789abcdef"]
    assert signal.getsignal(signal.SIGHUP) is before
