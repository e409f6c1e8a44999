# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses a processor that lacks instructions the extension was compiled for.

All but the kernels, which are chosen when they run, is compiled for one baseline. The extension's
first instruction beyond the processor would end the process without a word, so this runs before it
is loaded and uses nothing but Python.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Collection, Iterable
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

# Bits of ECX of CPUID's first leaf (Intel's manual, volume 2A, CPUID).
BITS = {"pni": 0, "ssse3": 9, "fma": 12, "sse4_1": 19, "sse4_2": 20, "popcnt": 23, "avx": 28}


def denied_flags() -> set[str]:
    """Those of `BITS` that the processor itself says it lacks, where the C library passes it on.

    Under an emulator of processors (qemu-user) /proc/cpuinfo is about the host's. glibc 2.33 and
    later on x86 have what is asked here; elsewhere there is no such function, and nothing is told.
    """
    try:
        leaf = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf
    except (AttributeError, OSError):
        return set()
    leaf.restype = ctypes.POINTER(ctypes.c_uint32 * 4)
    _, _, ecx, _ = leaf(ctypes.c_uint32(0)).contents
    return {name for name, bit in BITS.items() if not ecx >> bit & 1}


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


def check(required: Collection[str], arch: str, cpuinfo: Path = CPUINFO) -> None:
    """Raises ImportError when the processor lacks one of ``required``; ``arch`` names their set."""
    missing = sorted({*missing_flags(required, cpuinfo), *(denied_flags() & set(required))})
    if missing:
        raise ImportError(
            f"this build of ffgan is for {arch} and this processor ({platform.machine()}) lacks"
            f" {', '.join(missing)}: build ffgan on this machine"
            " (pip install . -C cmake.define.FFGAN_ARCH=baseline)"
        )
