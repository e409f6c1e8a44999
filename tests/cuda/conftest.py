# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the build with CUDA. Most run on every build; those marked `cuda` need a GPU.

With FFGAN_EXPECT_CUDA=1 a test that is without a GPU fails instead of being skipped, so that a
check of a GPU cannot pass on the CPU by mistake.
"""

from __future__ import annotations

import functools
import os

import pytest

from ffgan import _core
from ffgan.errors import DeviceError


@functools.cache
def without_gpu() -> str | None:
    """Why nothing can be computed on a GPU here, or None."""
    if not _core.engine()["cuda"]:
        return "this build of ffgan has no CUDA: tools/cuda_check.sh makes one"
    try:
        _core.layers("generator")
    except DeviceError as error:
        return str(error)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    expected = os.environ.get("FFGAN_EXPECT_CUDA") == "1"
    needed = item.get_closest_marker("cuda") is not None or _core.engine()["cuda"]
    if (expected or needed) and (reason := without_gpu()):
        (pytest.fail if expected else pytest.skip)(reason)
