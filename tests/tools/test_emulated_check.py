# SPDX-License-Identifier: GPL-3.0-or-later
"""Processors that this machine does not have, by emulation."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "tools" / "emulated_check.sh"


@pytest.mark.slow
def test_old_processors_make_the_same_bytes_or_are_refused() -> None:
    if platform.machine() != "x86_64" or shutil.which("qemu-x86_64-static") is None:
        pytest.skip("needs an x86-64 machine with qemu-x86_64-static (Debian: qemu-user-static)")
    run = subprocess.run(
        ["bash", PROGRAM, "x86-64", sys.executable], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
