# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in a pseudo terminal, which can be closed while they run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from support.waiting import WAIT_SECONDS, until


class Terminal:
    """A terminal with one command in it; `shown` is all that came on its screen."""

    def __init__(
        self,
        command: list[str],
        *,
        cwd: Path,
        size: tuple[int, int] = (24, 80),
        env: Mapping[str, str] | None = None,
        ignore_sighup: bool = False,
        stops_background: bool = False,
    ) -> None:
        self._screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        if stops_background:  # stty tostop
            modes = termios.tcgetattr(terminal)
            modes[3] |= termios.TOSTOP
            termios.tcsetattr(terminal, termios.TCSANOW, modes)
        self.shown = ""
        self._open = True

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if ignore_sighup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", **(env or {})},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=take,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # Never inside `os.read` for long: what one thread reads from no other can close for good.
        while self._open:
            if select.select([self._screen], [], [], 0.02)[0]:
                try:
                    self.shown += os.read(self._screen, 1 << 16).decode(errors="replace")
                except OSError:  # the other side is closed
                    return

    def press(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def until(self, happened: Callable[[], object]) -> None:
        """Return once it happened; an AssertionError says what was shown if the command ended."""

        def over() -> object:
            return happened() or self.process.poll() is not None

        until(over)
        assert happened(), f"ended with {self.process.returncode}: {self.shown}"

    def close(self) -> None:
        """Close the window: the kernel sends SIGHUP, and writing then fails with EIO."""
        if self._open:
            self._open = False
            self._reader.join()
            os.close(self._screen)

    def end(self) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(WAIT_SECONDS)


@contextlib.contextmanager
def terminal(command: list[str], **options: object) -> Iterator[Terminal]:
    opened = Terminal(command, **options)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.process.kill()
        opened.process.wait()
        opened.close()
