# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the C++ test programs: each checks itself and fails by its exit status."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "cpp"
# Programs of other names are tools that tests call with arguments.
NAMES = sorted(path.stem for path in SOURCES.glob("test_*.cpp"))


@pytest.mark.parametrize("name", NAMES)
def test_program(name: str) -> None:
    folder = os.environ.get("FFGAN_TEST_PROGRAMS")
    if folder is None:
        pytest.skip("FFGAN_TEST_PROGRAMS is not set to the folder of the C++ test programs")
    run = subprocess.run([Path(folder) / name], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
