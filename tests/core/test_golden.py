# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces and scores have the same bytes with every instruction set, now and ever.

`python tools/golden_hashes.py --write` makes the file anew, where the bytes are meant to change.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffgan import _core

PROGRAM = Path(__file__).parents[2] / "tools" / "golden_hashes.py"
SETS = _core.engine()["compiled_instructions"].split(", ")


IN_USE = _core.engine()["instructions"]


@pytest.mark.parametrize(
    "instructions",
    [pytest.param(name, marks=[] if name == IN_USE else pytest.mark.slow) for name in SETS],
)
def test_every_instruction_set_makes_the_same_bytes(instructions: str) -> None:
    run = subprocess.run(
        [sys.executable, PROGRAM, "--check"],
        env={**os.environ, "FFGAN_ISA": instructions},
        capture_output=True,
        text=True,
        check=False,
    )
    if f"FFGAN_ISA is '{instructions}', which this processor does not have" in run.stderr:
        pytest.skip(f"this processor does not have {instructions}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith(f"as expected, with {instructions}\n")
