# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels are compiled for several instruction sets, and one is chosen when they run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ffgan import _core

SETS = _core.engine()["compiled_instructions"].split(", ")
# And a name that is in its object. The last one is no set to choose (ffgan_core/bf16).
OBJECTS = {**dict.fromkeys(SETS, "ffgan6layers8convolve"), "avx512_bf16": "4bf168multiply"}


def run_with(instructions: str | None, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "FFGAN_ISA"}
    if instructions is not None:
        environment["FFGAN_ISA"] = instructions
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )


def chosen(instructions: str | None) -> str:
    program = "import ffgan._core; print(ffgan._core.engine()['instructions'])"
    return run_with(instructions, "-c", program).stdout.strip()


def kernels_object(instructions: str) -> Path:
    programs = os.environ.get("FFGAN_TEST_PROGRAMS")
    if programs is None:
        pytest.skip("FFGAN_TEST_PROGRAMS is not set to the folder of the C++ test programs")
    core = Path(programs).parents[1] / "src" / "ffgan_core"
    path = core / f"kernels_{instructions.replace('.', '_')}.o"
    if instructions not in SETS and not path.exists():
        pytest.skip(f"this build has no kernels for {instructions}")
    return path


def test_the_best_one_is_chosen() -> None:
    usable = [name for name in SETS if chosen(name) == name]
    assert usable
    assert chosen(None) == chosen("") == usable[0]


def test_a_wrong_name_is_one_line_that_names_the_right_ones() -> None:
    run = run_with("avx1024", "-m", "ffgan", "gen", "1", "--out", os.devnull)
    assert run.returncode != 0
    (line,) = run.stderr.splitlines()
    assert "avx1024" in line
    assert chosen(None) in line


@pytest.mark.parametrize("instructions", OBJECTS)
def test_an_object_shows_its_table_only(instructions: str) -> None:
    """Else the linker could take its inline functions for the rest, which runs everywhere."""
    symbols = subprocess.run(
        ["nm", kernels_object(instructions)], capture_output=True, text=True, check=True
    ).stdout
    # Uppercase is global, and `u` unique to the process; undefined ones (U, w) are the rest's.
    shown = re.findall(r"^\w+ ([A-TV-Zuv]) (\S+)$", symbols, re.MULTILINE)
    assert shown == [("D", f"ffgan_kernels_{instructions.replace('.', '_')}")]
    assert OBJECTS[instructions] in symbols, "the kernels are not in it"


@pytest.mark.parametrize("instructions", OBJECTS)
def test_no_vector_is_touched_when_the_extension_is_loaded(instructions: str) -> None:
    """What an object does at the start, it does on every processor."""
    start = subprocess.run(
        ["objdump", "--disassemble", "--section=.text.startup", kernels_object(instructions)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert start.returncode == 0 or "not found" in start.stderr, start.stderr
    assert not re.findall(r"%[xyz]mm\d+|%k[0-7]\b", start.stdout)
