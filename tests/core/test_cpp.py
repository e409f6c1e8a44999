# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the C++ test programs: each checks itself and fails by its exit status."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.instruction_sets import COMPILED, IN_USE, output_with

SOURCES = Path(__file__).parents[1] / "cpp"
# Programs of other names are tools that tests call with arguments.
NAMES = sorted(path.stem for path in SOURCES.glob("test_*.cpp"))
OTHERS = [name for name in COMPILED if name != IN_USE]
WITHOUT_KERNELS = ("test_threads",)


def run_program(name: str, instructions: str) -> None:
    folder = os.environ.get("FFGAN_TEST_PROGRAMS")
    if folder is None:
        pytest.skip("FFGAN_TEST_PROGRAMS is not set to the folder of the C++ test programs")
    output_with(instructions, [Path(folder) / name])


@pytest.mark.parametrize("name", NAMES)
def test_program(name: str) -> None:
    run_program(name, IN_USE)


@pytest.mark.slow
@pytest.mark.parametrize("instructions", OTHERS)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_KERNELS])
def test_program_with_another_instruction_set(name: str, instructions: str) -> None:
    run_program(name, instructions)
