# SPDX-License-Identifier: GPL-3.0-or-later
"""The first signal asks, the second one ends the process even inside a long call into C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from ffgan.errors import Error
from ffgan.interruption import Interrupted, Interruption

# Minutes inside OpenSSL, without the GIL: Python's own signal handlers wait until it returns.
LONG_CALL = """
import hashlib
from ffgan.interruption import Interruption
with Interruption("finishing") as interruption:
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha512", b"", b"", 500_000_000)
"""


def wait_for(interruption: Interruption) -> int | None:
    for _ in range(500):
        if interruption.received is not None:
            break
        time.sleep(0.01)
    return interruption.received


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_answered(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(number)
    with Interruption("finishing") as interruption:
        assert interruption.received is None
        signal.raise_signal(number)
        assert wait_for(interruption) == number
    assert signal.getsignal(number) is before
    assert caplog.messages == ["finishing; once more to stop at once"]


def test_other_signals_go_their_usual_way() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:
        with Interruption("finishing") as interruption:
            signal.raise_signal(signal.SIGUSR1)
            time.sleep(0.05)
            assert interruption.received is None
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_the_process_inside_a_long_call(second: int, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LONG_CALL],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        while "once more to stop at once" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(second)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors


def test_outside_the_main_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT)
    during: list[object] = []

    def work() -> None:
        with Interruption("finishing"):
            during.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == [before]


def test_an_earlier_wakeup_descriptor_is_restored() -> None:
    import socket

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno())
    try:
        with Interruption("finishing"):
            pass
        assert signal.set_wakeup_fd(before) == writer.fileno()
    finally:
        signal.set_wakeup_fd(before)
        reader.close()
        writer.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_error_carries_the_exit_status(number: int, code: int) -> None:
    error = Interrupted("stopped", number)
    assert isinstance(error, Error)
    assert error.exit_code == code
    assert str(error) == "stopped"
    assert Error.exit_code == 1
