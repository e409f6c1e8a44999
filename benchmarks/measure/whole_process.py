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
from benchmarks.engines import BEFORE
from benchmarks.measure.busy import Guard
from benchmarks.measure.workers import LIMIT_SECONDS, ROOT, environment
from benchmarks.output.results import Result, RowResult
from benchmarks.output.rows import Row
from benchmarks.output.summary import Summary

SEED = 7


def gen(count: int, out: str, *options: str) -> list[str]:
    """The command that writes faces."""
    command = [sys.executable, "-m", "ffgan", "gen", f"{count}", "--seed", f"{SEED}"]
    return [*command, "--out", out, "--no-window", *options]


def commands(folder: Path, model: str) -> dict[str, tuple[str, list[str]]]:
    """By the engine's name: its title and the command."""
    ours, theirs = str(folder / "ffgan.png"), str(folder / "pytorch.png")
    python = sys.executable
    return {
        "ffgan": (
            "ffgan gen 1",
            gen(1, ours),
        ),
        BEFORE: ("ffgan gen 1, before", gen(1, str(folder / "before.png"))),
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
        if name in ("pytorch", BEFORE):
            result.absent = engines.find(name).missing()
        if result.absent is not None:
            continue
        result.problem = _failure(command, threads, name)  # also fills the disk's cache
        if result.problem is None:
            running[name] = command
    samples: dict[str, list[float]] = {name: [] for name in running}
    rounds = 0
    while running and rounds < row.plan.rounds[0]:
        guard.begin_round()
        taken = {}
        for name, command in running.items():
            began = time.perf_counter()
            _run(command, threads, name)
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


def _run(command: list[str], threads: int, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(threads, name),
        timeout=LIMIT_SECONDS,
        check=False,
    )


def _failure(command: list[str], threads: int, name: str) -> str | None:
    run = _run(command, threads, name)
    return None if run.returncode == 0 else problem(run)


def problem(run: subprocess.CompletedProcess[str]) -> str:
    """How a command ended that should not have ended so."""
    lines = run.stderr.strip().splitlines()
    return f"ended with status {run.returncode}{f': {lines[-1]}' if lines else ''}"
