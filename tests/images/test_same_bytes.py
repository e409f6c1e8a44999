# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture's bytes, resized, written and read, are the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import same_bytes

PROGRAM = Path(same_bytes.__file__)

OTHER_WAYS = {
    "OpenCV without Intel's library": {"OPENCV_IPP": "disabled"},
    "OpenCV without vectors": {
        "OPENCV_CPU_DISABLE": "AVX,FP16,AVX2,AVX512-SKX",
        "OPENCV_FOR_THREADS_NUM": "1",
    },
    "libjpeg without vectors": {"JSIMD_FORCENONE": "1"},
}


def test_bytes_are_those_of_every_machine() -> None:
    assert same_bytes.digests() == same_bytes.GOLDEN


@pytest.mark.slow
@pytest.mark.parametrize("way", OTHER_WAYS)
def test_bytes_do_not_depend_on_how_libraries_compute(way: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM],
        env={**os.environ, **OTHER_WAYS[way]},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")
