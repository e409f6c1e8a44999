# SPDX-License-Identifier: GPL-3.0-or-later
"""The window as the rest of the program sees it: its pictures go to the process that shows them."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DisplayError
from ffgan.viewer import display
from ffgan.viewer.process import Picture

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from types import TracebackType

Action = Literal["next", "save", "quit", "closed", "timeout"]

OPEN_SECONDS = 30.0
# After that a slow display counts as showing the picture.
SHOW_SECONDS = 5.0
CLOSE_SECONDS = 2.0

PROGRAM = """\
import sys
sys.path[:] = {path!r}
from ffgan.viewer.process import run
run({descriptor}, {title!r}, {scale})
"""

logger = logging.getLogger("ffgan.viewer")


def available() -> None:
    """Return when a window can be opened; safe to call where there is no display.

    Raises DisplayError, naming what is missing and the way out, and Error when OpenCV itself cannot
    be imported, since then no image can be written to a file either.
    """
    Window("ffgan").close()


class Window:
    """One window that shows one image at a time.

    Images are (height, width, 3) uint8 RGB; the window enlarges them by a whole factor ``scale``.
    A display that is slow holds up nothing: pictures that it has no time for are left out. Raises
    DisplayError where no window can be opened.
    """

    def __init__(self, title: str, *, scale: int = 1) -> None:
        display.check()
        self._process, self._connection = _start(title, scale)
        self._changed = threading.Condition()
        self._actions: collections.deque[Action] = collections.deque()
        self._next: Picture | None = None
        self._asked = self._shown = 0  # numbers of pictures
        self._closed = self._lost = self._told = False
        self._threads = [
            threading.Thread(target=work, name="ffgan-window", daemon=True)
            for work in (self._send, self._receive)
        ]
        for thread in self._threads:
            thread.start()

    def show(self, image: NDArray[np.uint8], title: str | None = None) -> None:
        """Show ``image``, (height, width, 3) uint8 RGB, and a new title; no effect once closed.

        Returns at once. The picture replaces one that the display had no time for.
        """
        with self._changed:
            self._asked += 1
            self._next = Picture(self._asked, np.array(image), title)
            self._changed.notify_all()

    def wait(self, seconds: float | None = None) -> Action:
        """Keep the window open for ``seconds`` (None: without end) or until the user acts.

        The time begins when the picture is shown. Returns "next", "save" or "quit" for a key,
        "closed", or "timeout". A warning is logged where the window is `lost`.
        """
        began = time.monotonic()
        end: float | None = None
        with self._changed:
            while True:
                if self._actions:
                    return self._actions.popleft()
                if self._closed:
                    self._tell()
                    return "closed"
                if seconds is None:
                    self._changed.wait()
                    continue
                now = time.monotonic()
                is_there = self._shown >= self._asked or now - began >= SHOW_SECONDS
                if end is None and (seconds <= 0 or is_there):
                    end = now + seconds
                if end is not None and now >= end:
                    return "timeout"
                self._changed.wait((began + SHOW_SECONDS if end is None else end) - now)

    @property
    def closed(self) -> bool:
        """Whether the window is closed, by the user or by `close`, or lost; it never comes back."""
        return self._closed

    @property
    def lost(self) -> bool:
        """Whether the window went away by itself, as with its display."""
        return self._lost

    def close(self) -> None:
        """Close the window; harmless when it is closed already."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_SECONDS)
        self._process.kill()  # where its display does not answer
        for thread in self._threads:
            thread.join()
        self._connection.close()

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self) -> None:
        """Pass on the newest picture, whenever the other process has room for one."""
        picture: Picture | None
        with contextlib.suppress(OSError):  # the process has ended
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._next is not None)
                    picture, self._next = (None if self._closed else self._next), None
                self._connection.send(picture)
                if picture is None:
                    return

    def _receive(self) -> None:
        """Note what the other process sends, until its end."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                said: Any = self._connection.recv()
                with self._changed:
                    if isinstance(said, int):
                        self._shown = said
                    elif said == "closed":
                        self._closed = True
                    else:
                        self._actions.append(said)
                    self._changed.notify_all()
        self._process.wait()
        with self._changed:
            self._lost = not self._closed
            self._closed = True
            self._changed.notify_all()

    def _tell(self) -> None:
        """Log once why the window is gone, if that was nobody's wish."""
        if self._lost and not self._told:
            self._told = True
            code = self._process.returncode
            logger.warning(
                f"the window is gone: {signal.Signals(-code).name} ended its process"
                if code < 0
                else f"the window is gone: the connection to the display {display.name()} broke"
            )


def _start(title: str, scale: int) -> tuple[subprocess.Popen[bytes], Connection[Any, Any]]:
    """The process of a window that is open, and the connection to it; raises DisplayError.

    In a session of its own, so that Ctrl+C in the terminal, and closing that, reach this process
    alone.
    """
    from multiprocessing.connection import Pipe

    ours, theirs = Pipe()
    descriptor = theirs.fileno()
    program = PROGRAM.format(path=sys.path, descriptor=descriptor, title=title, scale=scale)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[descriptor],
            start_new_session=True,
            env=os.environ,
        )
    assert process.stderr is not None
    try:
        with process.stderr:
            if not ours.poll(OPEN_SECONDS):
                raise DisplayError("the display does not answer: check DISPLAY")
            try:
                ours.recv()
            except (EOFError, OSError):
                errors = process.stderr.read().decode(errors="replace")
                raise display.refusal(errors, process.wait()) from None
    except BaseException:
        process.kill()
        process.wait()
        ours.close()
        raise
    return process, ours
