# SPDX-License-Identifier: GPL-3.0-or-later
"""The instruction sets that the kernels were compiled for, and programs that run with one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ffgan import _core

IN_USE = _core.engine()["instructions"]
COMPILED = _core.engine()["compiled_instructions"].split(", ")

needs_bf16 = pytest.mark.skipif(
    not _core.engine()["bf16"], reason="this processor, or this build, has no products of bf16"
)


def output_with(instructions: str, command: Sequence[str | Path]) -> str:
    """What a program that has to succeed prints; skips the test where the processor lacks them."""
    run = subprocess.run(
        command,
        env={**os.environ, "FFGAN_ISA": instructions},
        capture_output=True,
        text=True,
        check=False,
    )
    if f"FFGAN_ISA is '{instructions}', which this processor does not have" in run.stderr:
        pytest.skip(f"this processor does not have {instructions}")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
