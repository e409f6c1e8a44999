# SPDX-License-Identifier: GPL-3.0-or-later
"""A window for images, by OpenCV, in a process of its own.

OpenCV's Qt ends its whole process, without an exception, when it finds no display or loses it. So
nothing in this process touches a window.
"""

from ffgan.viewer.display import missing_library
from ffgan.viewer.window import Action, Window, available

__all__ = ["Action", "Window", "available", "missing_library"]
