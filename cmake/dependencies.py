# SPDX-License-Identifier: GPL-3.0-or-later
"""What ffgan needs at run time, with the OpenCV that the building machine can load.

opencv-python can open windows, and cannot even be imported where libGL or an X11 library is
missing, as on a bare server; opencv-python-headless is the same without windows. The environment
variable FFGAN_OPENCV names one of the two when the machine should not decide, as for a wheel to
publish.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

PACKAGES = ("opencv-python", "opencv-python-headless")
NEEDED_FOR_WINDOWS = ("libGL.so.1", "libxcb.so.1", "libgthread-2.0.so.0", "libSM.so.6")


def opencv() -> str:
    """Return the name of the package that this machine gets."""
    chosen = os.environ.get("FFGAN_OPENCV")
    if chosen is not None:
        if chosen not in PACKAGES:
            raise SystemExit(f"FFGAN_OPENCV is {chosen!r}: choose one of {', '.join(PACKAGES)}")
        return chosen
    try:
        for library in NEEDED_FOR_WINDOWS:
            ctypes.CDLL(library)
    except OSError:
        return "opencv-python-headless"
    return "opencv-python"


def dynamic_metadata(
    settings: Mapping[str, str], project: Mapping[str, object]
) -> dict[str, list[str]]:
    """scikit-build-core's hook: what to add to the project's dependencies."""
    return {"dependencies": [opencv() + settings["opencv"]]}
