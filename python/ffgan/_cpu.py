# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses a processor that lacks instructions the extension was compiled for.

All but the kernels, which are chosen when they run, is compiled for one baseline. The extension's
first instruction beyond the processor would end the process without a word, so this runs before it
is loaded and uses nothing but Python.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def missing_flags(required: Iterable[str], cpuinfo: Path = CPUINFO) -> list[str]:
    """Those of ``required``, in Linux's names, that this machine's processor does not have.

    Where the system does not tell (no such file, or no line of flags in it) none counts as missing.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return sorted(set(required) - set(flags.split()))
    return []


def check(required: Iterable[str], arch: str, cpuinfo: Path = CPUINFO) -> None:
    """Raises ImportError when the processor lacks one of ``required``; ``arch`` names their set."""
    missing = missing_flags(required, cpuinfo)
    if missing:
        raise ImportError(
            f"this build of ffgan is for {arch} and this processor ({platform.machine()}) lacks"
            f" {', '.join(missing)}: build ffgan on this machine"
            " (pip install . -C cmake.define.FFGAN_ARCH=baseline)"
        )
