# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCV, imported at the first use, since that takes longer than all other imports."""

from __future__ import annotations

import contextlib
import functools
import threading
from types import ModuleType

from ffgan import _openblas
from ffgan.errors import Error


@functools.cache
def opencv() -> ModuleType:
    """OpenCV, imported at the first call and quiet; raises Error where it cannot be loaded."""
    try:
        with _openblas.sleeping_threads():
            import cv2
    except ImportError as error:
        if "failed to map segment" in str(error):
            raise Error(
                f"OpenCV cannot be loaded ({error}): give more memory (ulimit -v), or mount the "
                "disk on which it is installed without noexec"
            ) from error
        raise Error(
            f"OpenCV cannot be loaded ({error}): pip install opencv-python-headless, "
            "which needs no system libraries"
        ) from error
    # It would print a line for every damaged file.
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def import_opencv_meanwhile() -> None:
    """Begin to import OpenCV in a thread, for who will encode a picture after other work.

    Where it cannot be loaded, the first use says so.
    """

    def load() -> None:
        with contextlib.suppress(Error):
            opencv()

    threading.Thread(target=load, name="opencv").start()


def opencv_version() -> tuple[int, int]:
    """Major and minor version."""
    major, minor = str(opencv().__version__).split(".")[:2]
    return int(major), int(minor)
