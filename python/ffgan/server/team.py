# SPDX-License-Identifier: GPL-3.0-or-later
"""Several server processes at one port, and the one that keeps them running.

Each worker reads its settings from its standard input, which then stays open: when it ends, the
supervisor is gone, however it went, and so the worker goes too. A second pipe leads back: one byte
when the worker is ready, its end when the worker has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from ffgan import _core
from ffgan.errors import Error, ServerError
from ffgan.images.animation import MEMORY
from ffgan.model import Model
from ffgan.server.settings import Settings
from ffgan.server.telemetry.metrics import MULTIPROCESS_FOLDER

READY = b"\1"
PROGRAM = "from ffgan.server.worker import main; main()"

# Between a worker that ends before it was ready and the next try, doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# What a worker may take beyond the grace period before it is killed: to end its last batch.
EXTRA_SECONDS = 5.0
STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(eq=False)
class Member:
    """A worker process and the pipe that leads back from it."""

    process: subprocess.Popen[bytes]
    channel: int
    ready: bool = False
    ended: bool = False


class Team:
    """One worker per listening socket."""

    def __init__(
        self,
        model: str | Path | None,
        listeners: Sequence[socket.socket],
        *,
        log_level: str,
        grace: float,
        settings: Settings,
    ) -> None:
        self._model = model
        self._listeners = listeners
        self._grace = grace
        self._configuration = {
            "model": None if model is None else str(model),
            "log_level": log_level,
            "grace": grace,
            "threads": max(1, _core.engine()["threads"] // len(listeners)),
            "settings": asdict(settings),
        }
        self._members: list[Member | None] = [None] * len(listeners)
        self._due = [0.0] * len(listeners)
        self._pauses = [FIRST_PAUSE] * len(listeners)
        self._signals: list[int] = []
        self._selector = selectors.DefaultSelector()

    def run(self, ready: Callable[[], None]) -> None:
        """Keeps the workers running until a signal stops them, which it then raises again.

        `ready` is called once, when all of them can answer. Raises ModelError, or ServerError when
        they cannot start.
        """
        Model.load(self._model)  # so that what is wrong with it is said once, and here
        folder = MEMORY if MEMORY.is_dir() else None
        with (
            tempfile.TemporaryDirectory(prefix="ffgan-metrics-", dir=folder) as self._metrics,
            self._noted_signals(),
        ):
            try:
                number = self._keep_running(ready)
            finally:
                for listener in self._listeners:
                    listener.close()
                self._stop()
        signal.raise_signal(number)

    @contextlib.contextmanager
    def _noted_signals(self) -> Iterator[None]:
        """Within it signals are noted in `_signals`, and wake the selector."""
        if threading.current_thread() is not threading.main_thread():
            raise ServerError("several workers need the main thread, where signals arrive")

        def note(number: int, frame: FrameType | None) -> None:
            self._signals.append(number)

        awake, wake = socket.socketpair()
        with awake, wake:
            awake.setblocking(False)
            wake.setblocking(False)
            self._selector.register(awake, selectors.EVENT_READ)
            before = signal.set_wakeup_fd(wake.fileno())
            previous = {each: signal.signal(each, note) for each in (*STOPPING, signal.SIGHUP)}
            try:
                yield
            finally:
                for each, handler in previous.items():
                    signal.signal(each, handler)
                signal.set_wakeup_fd(before)
                self._selector.close()

    def _keep_running(self, ready: Callable[[], None]) -> int:
        """Returns the signal that ends it."""
        told = False
        while True:
            now = time.monotonic()
            for place, member in enumerate(self._members):
                if member is None and self._due[place] <= now:
                    self._members[place] = self._start(place)
            waits = [
                due - now
                for due, member in zip(self._due, self._members, strict=True)
                if member is None
            ]
            self._listen_to_members(min(waits, default=None))
            for number in self._take_signals():
                if number in STOPPING:
                    return number
                self._reload()
            for place, member in enumerate(self._members):
                if member is not None and member.ended:
                    self._replace(place, member, serving=told)
            if not told and all(member and member.ready for member in self._members):
                told = True
                ready()

    def _take_signals(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken

    def _start(self, place: int) -> Member:
        listener = self._listeners[place]
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            pass_fds=(listener.fileno(), writing),
            # Ctrl+C reaches all of a terminal's processes; what it means is decided here.
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                MULTIPROCESS_FOLDER: self._metrics,
            },
        )
        os.close(writing)
        configuration = {
            **self._configuration,
            "listener": listener.fileno(),
            "family": int(listener.family),
            "channel": writing,
        }
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the end of its channel says so too
            process.stdin.write(json.dumps(configuration).encode() + b"\n")
            process.stdin.flush()
        member = Member(process, reading)
        self._selector.register(reading, selectors.EVENT_READ, member)
        return member

    def _listen_to_members(self, seconds: float | None) -> None:
        """Waits for news: a worker that is ready, or has ended, or a signal."""
        for key, _ in self._selector.select(seconds):
            member = key.data
            if member is None:
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(1024)  # type: ignore[union-attr]
            elif os.read(member.channel, 1) == READY:
                member.ready = True
            else:
                self._selector.unregister(member.channel)
                os.close(member.channel)
                member.ended = True

    def _replace(self, place: int, member: Member, *, serving: bool) -> None:
        status = member.process.wait()
        self._forget(member)
        self._members[place] = None
        if not (serving or member.ready):
            raise ServerError(f"a worker ended with status {status} before it could answer")
        if member.ready:
            self._pauses[place] = FIRST_PAUSE
        self._due[place] = time.monotonic() + self._pauses[place]
        self._pauses[place] = min(2 * self._pauses[place], LONGEST_PAUSE)
        print(
            f"ffgan: a worker ended with status {status}; another takes its place",
            file=sys.stderr,
            flush=True,
        )
        # The new one reads the model file as it is by then, and all should serve the same.
        self._send(signal.SIGHUP)

    def _forget(self, member: Member) -> None:
        mark_process_dead(member.process.pid, self._metrics)  # type: ignore[no-untyped-call]
        if member.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                member.process.stdin.close()

    def _reload(self) -> None:
        try:
            model = Model.load(self._model)
        except Error as error:
            print(f"ffgan: the old model stays: {error}", file=sys.stderr, flush=True)
            return
        self._send(signal.SIGHUP)
        print(f"ffgan: the model is now {model.hash[:16]}", flush=True)

    def _send(self, number: int) -> None:
        for member in self._running():
            # One that is not ready would die of SIGHUP, and reads the file anyway.
            if member.ready or number != signal.SIGHUP:
                member.process.send_signal(number)

    def _running(self) -> list[Member]:
        return [member for member in self._members if member is not None and not member.ended]

    def _stop(self) -> None:
        """Ends all workers: gracefully, and those that take too long or at a second signal."""
        self._send(signal.SIGTERM)
        end = time.monotonic() + self._grace + EXTRA_SECONDS
        while self._running():
            left = end - time.monotonic()
            if left <= 0 or any(number in STOPPING for number in self._take_signals()):
                self._send(signal.SIGKILL)
                left = EXTRA_SECONDS
                end = time.monotonic() + left
            self._listen_to_members(left)
        for member in self._members:
            if member is not None:
                member.process.wait()
                self._forget(member)
