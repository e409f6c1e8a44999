# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension was compiled for; `_build.py` is written by the build."""

ARCH: str
CPU_FLAGS: tuple[str, ...]
