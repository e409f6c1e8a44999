# SPDX-License-Identifier: GPL-3.0-or-later
"""X servers of our own (Xvfb), their keys (xdotool) and what they show (ImageMagick's import)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

SECONDS = 60
HAS_WINDOWS = re.search(r"^\s*GUI:\s*NONE", cv2.getBuildInformation(), re.MULTILINE) is None


class Screen:
    """An X server without a monitor, and the hands of its user."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment = {**os.environ, "DISPLAY": name}
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.started: list[subprocess.Popen[str]] = []

    def python(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """End what was started."""
        for process in self.started:
            process.kill()
            process.communicate()

    def window(self, title: str) -> int:
        """The X id of the window whose title matches the POSIX expression, once it is there."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = self.tool("xdotool", "search", "--onlyvisible", "--name", title)
            if found:
                return int(found.split()[-1])
            process = self.started[-1]
            if process.poll() is not None:
                output, errors = process.communicate()
                raise AssertionError(
                    f"ended with {process.returncode} before {title!r} was seen: {output}{errors}"
                )
            time.sleep(0.05)
        raise AssertionError(f"no window with the title {title!r}")

    def press(self, key: str) -> None:
        # Without a window manager the keyboard belongs to the window under the pointer.
        self.tool("xdotool", "mousemove", "50", "50", "key", key)

    def tool(self, *command: str) -> str:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        ).stdout.strip()

    def until_painted(self, window: int, painted: Callable[[], object]) -> None:
        """Return once what the window shows is there.

        On a screen without a window manager OpenCV's Qt sometimes misses that its window was
        exposed, 4 starts of 14 on a busy machine, and paints it only when it is mapped again.
        """
        end = time.monotonic() + SECONDS
        while not painted():
            assert time.monotonic() < end, "it was not painted"
            self.tool("xdotool", "windowunmap", str(window), "windowmap", str(window))
            time.sleep(0.5)

    def picture(self, path: Path) -> np.ndarray:
        """What the screen shows, as RGB."""
        subprocess.run(
            ["import", "-window", "root", str(path)],
            env=self.environment,
            check=True,
            timeout=SECONDS,
        )
        return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])

    def click_close_button(self, window: int) -> None:
        """Send the window what a window manager sends it when its close button is clicked."""

        class Message(ctypes.Structure):
            _fields_ = (
                ("type", ctypes.c_int),
                ("serial", ctypes.c_ulong),
                ("send_event", ctypes.c_int),
                ("display", ctypes.c_void_p),
                ("window", ctypes.c_ulong),
                ("message_type", ctypes.c_ulong),
                ("format", ctypes.c_int),
                ("data", ctypes.c_long * 5),
                ("rest", ctypes.c_long * 12),
            )

        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        client_message = 33
        message = Message(type=client_message, window=window, format=32)
        message.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
        message.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
        x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
        x11.XCloseDisplay(display)


@contextlib.contextmanager
def x_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The name of an X display of our own, and its process; skips where there can be none."""
    if not HAS_WINDOWS:
        pytest.skip("this OpenCV has no windows: install opencv-python instead of -headless")
    for tool in ("Xvfb", "xdotool", "import"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: apt install xvfb xdotool imagemagick")
    reader, writer = os.pipe()
    # -noreset: a server that resets when its last client leaves turns away whoever comes then.
    # -r: on a busy machine the time between a key's press and release is long enough to repeat it.
    options = ["-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset", "-r"]
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *options],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with os.fdopen(reader) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}", process
    finally:
        process.kill()
        process.wait(SECONDS)
