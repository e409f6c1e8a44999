# SPDX-License-Identifier: GPL-3.0-or-later
"""The first signal asks, the second one ends the process even inside a long call into C."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from ffgan.errors import Error
from ffgan.interruption import ECHO_SECONDS, Interrupted, Interruption

# Minutes inside OpenSSL, without the GIL: Python's own signal handlers wait until it returns.
LONG_CALL = """
import hashlib
from ffgan import interruption
interruption.ECHO_SECONDS = {echo}
with interruption.Interruption("finishing"):
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha512", b"", b"", 500_000_000)
"""


@contextlib.contextmanager
def long_call(echo: float = ECHO_SECONDS) -> Iterator[subprocess.Popen[str]]:
    """A process inside `LONG_CALL`, for which signals within ``echo`` seconds are one."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG_CALL.format(echo=echo)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def asked(process: subprocess.Popen[str]) -> None:
    """Return once the first signal was answered, and another one counts as a second."""
    assert process.stderr is not None
    while "once more to stop at once" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(2 * ECHO_SECONDS)


def wait_for(interruption: Interruption) -> int | None:
    for _ in range(500):
        if interruption.received is not None:
            break
        time.sleep(0.01)
    return interruption.received


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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
    with long_call() as process:
        process.send_signal(signal.SIGINT)
        asked(process)
        process.send_signal(second)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors


def test_a_closed_terminal_only_asks_however_often_it_says_so() -> None:
    """The kernel and the shell send SIGHUP each, and the system perhaps SIGTERM after it."""
    with long_call() as process:
        process.send_signal(signal.SIGHUP)
        asked(process)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        time.sleep(2 * ECHO_SECONDS)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143


def test_a_signal_that_comes_twice_at_once_is_one() -> None:
    """As `timeout` sends it: to the process, and to its group."""
    with long_call(echo=1000) as process:
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        asked(process)
        assert process.poll() is None


def test_sighup_stays_ignored_where_it_is() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interruption("finishing") as interruption:
            signal.raise_signal(signal.SIGHUP)
            time.sleep(0.05)
            assert interruption.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


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


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_the_error_carries_the_exit_status(number: int, code: int) -> None:
    error = Interrupted("stopped", number)
    assert isinstance(error, Error)
    assert error.exit_code == code
    assert str(error) == "stopped"
    assert Error.exit_code == 1
