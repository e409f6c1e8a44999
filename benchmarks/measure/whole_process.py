# SPDX-License-Identifier: GPL-3.0-or-later
"""The time from a command to a picture: what someone waits who wants one face.

Timed: `python -m ffgan gen 1`, with its search by the discriminator; benchmarks/pytorch_face.py,
which draws the same generator's face of one noise with PyTorch; `import numpy`, for orientation.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks import engines
from benchmarks.measure.busy import Guard
from benchmarks.measure.workers import LIMIT_SECONDS, ROOT, environment
from benchmarks.output.results import Result, RowResult
from benchmarks.output.rows import Row
from benchmarks.output.summary import Summary

SEED = 7


def commands(folder: Path, model: str) -> dict[str, tuple[str, list[str]]]:
    """By the engine's name: its title and the command."""
    ours, theirs = str(folder / "ffgan.png"), str(folder / "pytorch.png")
    python = sys.executable
    return {
        "ffgan": (
            "ffgan gen 1",
            [python, "-m", "ffgan", "gen", "1", "--seed", f"{SEED}", "--out", ours, "--no-window"],
        ),
        "pytorch": (
            "PyTorch script",
            [python, "-m", "benchmarks.measure.pytorch_face", model, theirs],
        ),
        "python": ("python -c 'import numpy'", [python, "-c", "import numpy"]),
    }


def measure(
    row: Row, chosen: list[engines.Engine], folder: Path, model: str, threads: int, guard: Guard
) -> RowResult:
    """Milliseconds from start to end, interleaved."""
    found = RowResult(row, [])
    names = {engine.name for engine in chosen} | {"python"}
    running: dict[str, list[str]] = {}
    for name, (title, command) in commands(folder, model).items():
        if name not in names:
            continue
        result = Result(name, title)
        found.results.append(result)
        if name == "pytorch":
            result.absent = engines.find(name).missing()
        if result.absent is not None:
            continue
        result.problem = _failure(command, threads)  # also fills the disk's cache
        if result.problem is None:
            running[name] = command
    samples: dict[str, list[float]] = {name: [] for name in running}
    rounds = 0
    while running and rounds < row.plan.rounds[0]:
        guard.begin_round()
        taken = {}
        for name, command in running.items():
            began = time.perf_counter()
            _run(command, threads)
            taken[name] = time.perf_counter() - began
        if not guard.accept_round():
            continue
        rounds += 1
        for name, seconds in taken.items():
            samples[name].append(seconds * 1e3)
    for result in found.results:
        if result.engine in running:
            result.summary = Summary.of(samples[result.engine])
    return found


def _run(command: list[str], threads: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(threads),
        timeout=LIMIT_SECONDS,
        check=False,
    )


def _failure(command: list[str], threads: int) -> str | None:
    run = _run(command, threads)
    if run.returncode == 0:
        return None
    lines = run.stderr.strip().splitlines()
    return f"ended with status {run.returncode}{f': {lines[-1]}' if lines else ''}"
