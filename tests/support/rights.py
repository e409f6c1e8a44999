# SPDX-License-Identifier: GPL-3.0-or-later
"""Files without rights, also for root."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_VERSION = 0x20080522  # of linux/capability.h: two words of 32 capabilities
_READ_ANYTHING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@contextmanager
def without_rights(*paths: Path) -> Iterator[None]:
    """Inside, no file or folder of `paths` can be read, by this thread and those it starts."""
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0)
    before = _capabilities()
    try:
        _set_capabilities([before[0] & ~_READ_ANYTHING, *before[1:]])
        if any(os.access(path, os.R_OK, effective_ids=True) for path in paths):
            pytest.skip("the rights of root cannot be given up here")
        yield
    finally:
        _set_capabilities(before)
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


def _capabilities() -> list[int]:
    """Effective, permitted, inheritable, of the first 32, then of the others."""
    data = (ctypes.c_uint32 * 6)()
    _call("capget", data)
    return list(data)


def _set_capabilities(values: list[int]) -> None:
    _call("capset", (ctypes.c_uint32 * 6)(*values))


def _call(name: str, data: ctypes.Array[ctypes.c_uint32]) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(header, data):
        pytest.skip(f"{name}: {os.strerror(ctypes.get_errno())}")
