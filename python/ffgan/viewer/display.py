# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is a display and an OpenCV with windows, without touching either; and why not."""

from __future__ import annotations

import os
import re
import socket
import sys

from ffgan.errors import DisplayError, Error

CONNECT_SECONDS = 2.0

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


def check() -> None:
    """Raises DisplayError where no window can be opened, Error where OpenCV cannot be imported."""
    try:
        import cv2
    except ImportError as error:
        raise Error(missing_library(error) or f"OpenCV is not installed: {error}") from None
    if sys.platform.startswith("linux"):
        _check_display()
    if re.search(r"^\s*GUI:\s*NONE", cv2.getBuildInformation(), re.MULTILINE):
        raise DisplayError(
            "this OpenCV has no windows: pip uninstall opencv-python-headless, then "
            "pip install opencv-python"
        )


def name() -> str:
    """What the user calls the display."""
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or "of this computer"


def refusal(errors: str, status: int) -> DisplayError:
    """Why a process could not open a window: from what it wrote on its stderr, and its status."""
    lines = errors.strip().splitlines()
    reason = lines[0] if lines else f"exit status {status}"
    way = "check DISPLAY and xauth"
    if platform := os.environ.get("QT_QPA_PLATFORM"):
        way += f", and unset QT_QPA_PLATFORM, which is {platform}"
    elif not os.environ.get("DISPLAY"):
        way = "set DISPLAY, since OpenCV's windows need an X server, such as Xwayland"
    return DisplayError(f"OpenCV cannot open a window ({reason}): {way}")


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
