# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces and scores have the same bytes with every instruction set, now and ever.

`python tools/golden_hashes.py --write` makes the file anew, where the bytes are meant to change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffgan import _core

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tools" / "golden_hashes.py"
GOLDEN = json.loads((ROOT / "tests" / "fixtures" / "golden.json").read_text("utf-8"))
SETS = _core.engine()["compiled_instructions"].split(", ")


IN_USE = _core.engine()["instructions"]


@pytest.mark.parametrize(
    "instructions",
    [pytest.param(name, marks=[] if name == IN_USE else pytest.mark.slow) for name in SETS],
)
def test_every_instruction_set_makes_the_same_bytes(instructions: str) -> None:
    run = subprocess.run(
        [sys.executable, PROGRAM],
        env={**os.environ, "FFGAN_ISA": instructions},
        capture_output=True,
        text=True,
        check=False,
    )
    if f"FFGAN_ISA is '{instructions}', which this processor does not have" in run.stderr:
        pytest.skip(f"this processor does not have {instructions}")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    # Without their files age and gender are left out.
    assert {name for name in GOLDEN if name not in found} <= {"age", "gender"}
    assert found == {name: GOLDEN[name] for name in found}
