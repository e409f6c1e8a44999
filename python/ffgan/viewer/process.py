# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a window: it shows the pictures that come, and sends back what the user does.

It ends when its window is closed, when the other process says so or ends, and, by OpenCV's Qt, with
the connection to the display.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEYS = {
    ord(" "): "next",
    ord("n"): "next",
    ord("N"): "next",
    ord("s"): "save",
    ord("S"): "save",
    ord("q"): "quit",
    ord("Q"): "quit",
    27: "quit",
}
"""Key codes as ``cv2.waitKey`` gives them; 27 is Escape."""

POLL_MILLISECONDS = 30
IGNORED = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True)
class Picture:
    """An image, (height, width, 3) uint8 RGB, and the new title, if there is one."""

    number: int
    image: NDArray[np.uint8]
    title: str | None


def run(descriptor: int, name: str, scale: int) -> None:
    """Open a window and serve it; ``descriptor`` is a socket of `multiprocessing.connection`.

    What comes is a `Picture`, or None for the end. What is sent: "open" once the window is there,
    the number of each picture that is shown, the names of actions, and "closed".
    """
    with contextlib.suppress(ImportError):  # no core file where Qt aborts
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (getattr(signal, word) for word in IGNORED if hasattr(signal, word)):
        # The other process decides when the work and so the window ends.
        signal.signal(number, signal.SIG_IGN)
    platform = os.environ.get("QT_QPA_PLATFORM")
    if platform and "xcb" not in platform:
        # A desktop may ask for another one, such as wayland; OpenCV's wheel has no other.
        os.environ["QT_QPA_PLATFORM"] = f"{platform};xcb"
    import cv2

    cv2.namedWindow(name, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # nobody reads it any more
    connection: Connection[Any, Any] = Connection(descriptor)
    connection.send("open")
    _serve(cv2, name, scale, connection)


def _serve(cv2: Any, name: str, scale: int, connection: Connection[Any, Any]) -> None:
    inbox = _Inbox(connection)
    while not inbox.ended.is_set():
        picture = inbox.take()
        if picture is not None:
            shown = np.ascontiguousarray(picture.image[:, :, ::-1])
            if scale > 1:
                size = (shown.shape[1] * scale, shown.shape[0] * scale)
                shown = cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC)
            cv2.imshow(name, shown)
            if picture.title is not None:
                cv2.setWindowTitle(name, picture.title)
        key = cv2.waitKey(POLL_MILLISECONDS if picture is None else 1)
        if picture is not None:
            connection.send(picture.number)
        if key != -1 and (action := KEYS.get(key & 0xFF)):
            connection.send(action)
        if not _visible(cv2, name):
            connection.send("closed")
            return


def _visible(cv2: Any, name: str) -> bool:
    try:
        return bool(cv2.getWindowProperty(name, cv2.WND_PROP_VISIBLE) >= 1.0)
    except cv2.error:
        # OpenCV's Qt has no window at all any more once its last one is closed.
        return False


class _Inbox:
    """The newest picture that came; a thread ends the process when the other one is gone.

    Also while the display does not answer and the main thread waits for it.
    """

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self.ended = threading.Event()
        self._connection = connection
        self._lock = threading.Lock()
        self._picture: Picture | None = None
        threading.Thread(target=self._receive, daemon=True).start()

    def take(self) -> Picture | None:
        with self._lock:
            picture, self._picture = self._picture, None
            return picture

    def _receive(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while (picture := self._connection.recv()) is not None:
                with self._lock:
                    self._picture = picture
            self.ended.set()
            return
        os._exit(0)
