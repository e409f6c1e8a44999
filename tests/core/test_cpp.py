# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the C++ test programs: each checks itself and fails by its exit status."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ffgan import _core

SOURCES = Path(__file__).parents[1] / "cpp"
# Programs of other names are tools that tests call with arguments.
NAMES = sorted(path.stem for path in SOURCES.glob("test_*.cpp"))
IN_USE = _core.engine()["instructions"]
OTHERS = [name for name in _core.engine()["compiled_instructions"].split(", ") if name != IN_USE]
WITHOUT_KERNELS = ("test_threads",)


def run_program(name: str, instructions: str) -> None:
    folder = os.environ.get("FFGAN_TEST_PROGRAMS")
    if folder is None:
        pytest.skip("FFGAN_TEST_PROGRAMS is not set to the folder of the C++ test programs")
    run = subprocess.run(
        [Path(folder) / name],
        env={**os.environ, "FFGAN_ISA": instructions},
        capture_output=True,
        text=True,
        check=False,
    )
    if f"FFGAN_ISA is '{instructions}', which this processor does not have" in run.stderr:
        pytest.skip(f"this processor does not have {instructions}")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", NAMES)
def test_program(name: str) -> None:
    run_program(name, IN_USE)


@pytest.mark.slow
@pytest.mark.parametrize("instructions", OTHERS)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_KERNELS])
def test_program_with_another_instruction_set(name: str, instructions: str) -> None:
    run_program(name, instructions)
