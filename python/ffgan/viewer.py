# SPDX-License-Identifier: GPL-3.0-or-later
"""A window for images, by OpenCV, after a check that one can be opened at all.

OpenCV's Qt ends the whole process, without an exception, when it finds no display. So nothing here
touches a window before `available` has tried the display in a process of its own.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import DisplayError, Error

if TYPE_CHECKING:
    from types import TracebackType

Action = Literal["next", "save", "quit", "closed", "timeout"]

KEYS: dict[int, Action] = {
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

# Short enough that Ctrl+C, which Python sees only between two polls, feels immediate.
POLL_SECONDS = 0.03
CONNECT_SECONDS = 2.0
PROBE_SECONDS = 30.0

DEBIAN_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
}
"""Debian's package for each system library that the opencv-python wheel expects."""

# The process ends before its window is drawn, and leaves no core file where Qt aborts it.
PROBE = """
import resource, cv2
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
cv2.namedWindow("ffgan", cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
"""


def missing_library(error: ImportError) -> str | None:
    """The way out when OpenCV cannot be imported for want of a system library, else None."""
    found = re.match(r"(lib[\w.+-]+\.so[.\d]*)\b", str(error))
    if found is None:
        return None
    library = found.group(1)
    package = DEBIAN_PACKAGES.get(library, f"the package that holds {library}")
    return (
        f"OpenCV does not find {library}: apt install {package}, or pip install "
        "opencv-python-headless in place of opencv-python (all but the window works with it)"
    )


def available() -> None:
    """Return when a window can be opened; safe to call where there is no display.

    Raises DisplayError, naming what is missing and the way out, and Error when OpenCV itself cannot
    be imported, since then no image can be written to a file either.
    """
    try:
        import cv2
    except ImportError as error:
        raise Error(missing_library(error) or f"OpenCV is not installed: {error}") from None
    if sys.platform.startswith("linux"):
        _check_display()
    if re.search(r"^\s*GUI:\s*NONE", cv2.getBuildInformation(), re.MULTILINE):
        raise DisplayError(
            "this OpenCV has no windows (opencv-python-headless?): pip install opencv-python "
            "in its place"
        )
    if sys.platform.startswith("linux"):
        _probe_window()


def _check_display() -> None:
    """Raises DisplayError unless DISPLAY or WAYLAND_DISPLAY names a server that answers."""
    x11 = os.environ.get("DISPLAY")
    wayland = os.environ.get("WAYLAND_DISPLAY")
    if not x11 and not wayland:
        raise DisplayError(
            "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set, as a desktop session "
            "or ssh -X does)"
        )
    if not x11:
        return
    found = re.fullmatch(r"(?P<host>.*):(?P<number>\d{1,5})(\.\d+)?", x11)
    if found is None:
        raise DisplayError(f"DISPLAY={x11} is not the name of an X display, such as :0")
    try:
        _connect(found["host"], int(found["number"]))
    except OSError as error:
        raise DisplayError(
            f"no X server answers at DISPLAY={x11} ({error.strerror or error}): correct or unset it"
        ) from None


def _connect(host: str, number: int) -> None:
    """Connect to an X server as Xlib would: locally when the host is empty; raises OSError."""
    if host.startswith("/"):
        # macOS's launchd names the socket itself in DISPLAY.
        addresses = [f"{host}:{number}"]
    elif host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        addresses = [path, "\0" + path]
    else:
        socket.create_connection((host, 6000 + number), CONNECT_SECONDS).close()
        return
    failure: OSError | None = None
    for address in addresses:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_SECONDS)
            try:
                connection.connect(address)
                return
            except OSError as error:
                failure = failure or error
    assert failure is not None
    raise failure


def _probe_window() -> None:
    """Raises DisplayError unless another process can open a window (authority, Qt's plugins)."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DisplayError("the display does not answer: check DISPLAY") from None
    if probe.returncode:
        lines = probe.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[0] if lines else f"exit status {probe.returncode}"
        raise DisplayError(f"OpenCV cannot open a window ({reason}): check DISPLAY and xauth")


class Window:
    """One window that shows one image at a time.

    Images are (height, width, 3) uint8 RGB; the window enlarges them by a whole factor ``scale``.
    Raises DisplayError where no window can be opened.
    """

    def __init__(self, title: str, *, scale: int = 1) -> None:
        available()
        import cv2

        self._cv2: Any = cv2
        self._name = title
        self._scale = scale
        self._open = True
        cv2.namedWindow(self._name, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)

    def show(self, image: NDArray[np.uint8], title: str | None = None) -> None:
        """Show ``image``, (height, width, 3) uint8 RGB, and a new title; no effect once closed.

        It appears with the next `wait`, which alone takes the user's keys, so that none is lost.
        """
        if self.closed:
            return
        shown: NDArray[np.uint8] = np.ascontiguousarray(image[:, :, ::-1])
        if self._scale > 1:
            size = (shown.shape[1] * self._scale, shown.shape[0] * self._scale)
            shown = self._cv2.resize(shown, size, interpolation=self._cv2.INTER_CUBIC)
        self._cv2.imshow(self._name, shown)
        if title is not None:
            self._cv2.setWindowTitle(self._name, title)

    def wait(self, seconds: float | None = None) -> Action:
        """Keep the window open for ``seconds`` (None: without end) or until the user acts.

        Returns "next", "save" or "quit" for a key of `KEYS`, "closed", or "timeout".
        """
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = POLL_SECONDS if end is None else min(POLL_SECONDS, end - time.monotonic())
            if self.closed:
                return "closed"
            key = self._cv2.waitKey(max(1, round(left * 1000)))
            if key != -1 and (action := KEYS.get(key & 0xFF)):
                return action
            if end is not None and time.monotonic() >= end:
                return "closed" if self.closed else "timeout"

    @property
    def closed(self) -> bool:
        """Whether the user or `close` has closed the window; it does not open again."""
        if self._open:
            try:
                visible = self._cv2.getWindowProperty(self._name, self._cv2.WND_PROP_VISIBLE)
            except self._cv2.error:
                # OpenCV's Qt has no window at all any more once its last one is closed.
                visible = 0.0
            self._open = visible >= 1.0
        return not self._open

    def close(self) -> None:
        """Close the window; harmless when it is closed already."""
        if not self.closed:
            self._cv2.destroyWindow(self._name)
            self._cv2.waitKey(1)
            self._open = False

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
