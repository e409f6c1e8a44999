# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces and scores have the same bytes with every instruction set, now and ever.

`python tools/golden_hashes.py --write` makes the file anew, where the bytes are meant to change.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.instruction_sets import COMPILED, IN_USE, output_with

PROGRAM = Path(__file__).parents[2] / "tools" / "golden_hashes.py"


@pytest.mark.parametrize(
    "instructions",
    [pytest.param(name, marks=[] if name == IN_USE else pytest.mark.slow) for name in COMPILED],
)
def test_every_instruction_set_makes_the_same_bytes(instructions: str) -> None:
    said = output_with(instructions, [sys.executable, PROGRAM, "--check"])
    assert said.endswith(f"as expected, with {instructions}\n")
