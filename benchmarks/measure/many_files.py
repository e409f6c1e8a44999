# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a command that writes many faces, beside that of the engine for its draws alone.

Timed: `python -m ffgan gen N --format jpg`, with the candidate search, encoding and the disk. It
tells how many draws its search took; the engine makes and judges as many in batches, before and
after it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.engines import BEFORE, SUBJECT, Engine
from benchmarks.measure import whole_process
from benchmarks.measure.busy import Guard
from benchmarks.measure.workers import ROOT, Worker, environment
from benchmarks.output.results import Result, RowResult
from benchmarks.output.rows import Row
from benchmarks.output.summary import Summary

TRIES = re.compile(r"([\d,]+) tr(?:y|ies)")
SECONDS_FOR_A_FACE = 1.0


def draws_told(output: str) -> int:
    """How many draws `ffgan gen` says that it took: "10,000 faces, 10,480 tries, ..."."""
    found = TRIES.search(output)
    assert found is not None, output
    return int(found[1].replace(",", ""))


def measure(
    row: Row,
    chosen: Sequence[Engine],
    folder: Path,
    threads: int,
    guard: Guard,
    worker_of: Callable[[str, int], Worker],
) -> RowResult:
    """Milliseconds per face; `worker_of` gives the process that computes with an engine."""
    found = RowResult(row, [])
    for engine in chosen:
        if engine.name not in (SUBJECT, BEFORE):
            continue
        files = Result(engine.name, f"{engine.title}: gen {row.faces:,}", absent=engine.missing())
        alone = Result(f"{engine.name}-engine", f"{engine.title}: its engine alone")
        found.results += [files, alone]
        if files.absent is None:
            _measure(row, engine.name, files, alone, found, folder, threads, guard, worker_of)
    return found


def _measure(
    row: Row,
    name: str,
    files: Result,
    alone: Result,
    found: RowResult,
    folder: Path,
    threads: int,
    guard: Guard,
    worker_of: Callable[[str, int], Worker],
) -> None:
    out = folder / "faces"
    worker = worker_of(name, threads)
    once = worker.prepare(row.task, f"outputs-{name}.npy")
    iterations = max(2, round(row.plan.slice_seconds / once))
    while True:
        guard.begin_round()
        draws = worker.measure(iterations, 1)
        began = time.perf_counter()
        done = subprocess.run(
            whole_process.gen(row.faces, str(out), "--format", "jpg"),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(threads, name),
            timeout=60 + SECONDS_FOR_A_FACE * row.faces,
            check=False,
        )
        seconds = time.perf_counter() - began
        draws += worker.measure(iterations, 1)
        shutil.rmtree(out, ignore_errors=True)
        if done.returncode != 0:
            files.problem = whole_process.problem(done)
            return
        if guard.accept_round():
            break
    tries = draws_told(done.stdout)
    per_face = tries / row.faces / row.task.batch * 1e3
    alone.summary = Summary.of([one * per_face for one in draws])
    files.summary = Summary.of([seconds / row.faces * 1e3])
    share = alone.summary.median / files.summary.median
    found.notes.append(
        f"{files.title}: {row.faces / seconds:.0f} faces/s, {share:.2f} of its engine's own rate "
        f"for the same {tries:,} draws"
    )
