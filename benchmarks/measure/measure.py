# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a row: every engine in a process of its own, in turns, while the others sleep."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import engines
from benchmarks.engines import SUBJECT, Engine
from benchmarks.errors import BenchmarkError
from benchmarks.measure import agreement, many_files, whole_process
from benchmarks.measure.busy import Guard
from benchmarks.measure.workers import LIMIT_SECONDS, Worker, WorkerError
from benchmarks.output.results import Result, RowResult
from benchmarks.output.rows import SGEMM, SGEMM_SIZE, Plan, Row, Task
from benchmarks.output.summary import Summary

# Threads of every library here have stopped spinning and gone to sleep by then.
SETTLE_SECONDS = 0.06
# Above this, what other engines left in the caches no longer matters.
WARM_UP_BELOW_SECONDS = 0.1
MEMORY_STEPS = 2


@dataclass
class Contestant:
    """A worker set up for a task, and its samples in seconds per iteration."""

    worker: Worker
    result: Result
    task: Task
    estimate: float = 0.0
    samples: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)

    def slice(self, plan: Plan) -> None:
        """Measure for about `plan.slice_seconds`, at least once."""
        iterations = 1
        if self.estimate > 0:
            iterations = max(1, min(1000, round(plan.slice_seconds / self.estimate)))
        warm_up = 1 if 0 < self.estimate < WARM_UP_BELOW_SECONDS else 0
        time.sleep(SETTLE_SECONDS)
        self.fresh = self.worker.measure(iterations, warm_up)


class Session:
    """The workers of one run, kept from row to row, and what every row needs."""

    def __init__(
        self,
        folder: Path,
        info: dict[str, Any],
        threads: int,
        chosen: Sequence[Engine],
        excluded: dict[str, str],
        guard: Guard,
        compile_limit: float,
        progress: Callable[[str], None],
    ) -> None:
        """`excluded`: why an engine that is chosen cannot be measured, by name."""
        self.folder = folder
        self.info = info
        self.threads = threads
        self.chosen = list(chosen)
        self.excluded = excluded
        self.guard = guard
        self.compile_limit = compile_limit
        self.progress = progress
        self.versions: dict[str, str] = {}
        self._workers: dict[tuple[str, int], Worker] = {}
        self._sgemms = [engine for engine in engines.SGEMMS if engine.missing() is None]

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def measure(self, row: Row) -> RowResult:
        match row.measure:
            case "time":
                return self._time(row)
            case "scaling":
                return self._scaling(row)
            case "memory":
                return self._memory(row)
            case "process":
                model = self.info["model"]["path"]
                return whole_process.measure(
                    row, self.chosen, self.folder, model, self.threads, self.guard
                )

            case "files":
                return many_files.measure(
                    row, self.chosen, self.folder, self.threads, self.guard, self._worker
                )

    def _absent(self, engine: Engine, row: Row) -> str | None:
        """Why the engine is not measured in this row, if so."""
        no_recipe: str | None = self.info.get("no_recipe")
        return self.excluded.get(engine.name) or (no_recipe if row.task.kind == "recipe" else None)

    def _worker(self, name: str, threads: int) -> Worker:
        """The engine's worker, started anew when it is gone."""
        key = (name, threads)
        if key not in self._workers or not self._workers[key].alive:
            self._workers[key] = Worker(name, self.folder, threads)
            self.versions |= self._workers[key].ask(do="versions")
        return self._workers[key]

    def _prepared(
        self, result: Result, task: Task, threads: int, name: str = ""
    ) -> Contestant | None:
        """None, with the reason in `result`, when the engine fails."""
        name = name or result.engine
        limit = self.compile_limit if engines.find(name).compiles else LIMIT_SECONDS
        try:
            worker = self._worker(name, threads)
            outputs = f"outputs-{result.engine}.npy"
            return Contestant(worker, result, task, worker.prepare(task, outputs, limit))
        except WorkerError as error:
            result.problem = str(error)
            return None

    def _compared(self, contestants: list[Contestant]) -> list[Contestant]:
        """Those that compute the same as ffgan; the others' results name the difference."""

        def outputs(result: Result) -> Any:
            return np.load(self.folder / f"outputs-{result.engine}.npy")

        ours = [each for each in contestants if each.result.engine == SUBJECT]
        if not ours:
            for each in contestants:
                each.result.problem = "not compared: ffgan failed"
            return []
        reference = outputs(ours[0].result)
        agreeing = []
        for each in contestants:
            engine = engines.find(each.result.engine)
            try:
                each.result.check = agreement.difference(
                    each.task.kind,
                    reference,
                    outputs(each.result),
                    engine.variant == "uint8",
                    engine.precision,
                )
                agreeing.append(each)
            except BenchmarkError as error:
                each.result.problem = str(error)
        return agreeing

    def _time(self, row: Row) -> RowResult:
        """Milliseconds per item of each engine, and what a matrix product reaches meanwhile."""
        found = RowResult(row, [], flop=row.task.flop(self.info["macs"]))
        contestants = []
        for engine in self.chosen:
            if row.task.kind not in engine.kinds:
                continue
            result = Result(engine.name, engine.title, absent=self._absent(engine, row))
            found.results.append(result)
            if result.absent is None:
                self.progress(f"{row.name}: preparing {engine.title}")
                contestant = self._prepared(result, row.task, self.threads)
                contestants += [contestant] if contestant else []
        contestants = self._compared(contestants)
        yardsticks = []
        for engine in self._sgemms:
            yardstick = self._prepared(Result(engine.name, engine.title), SGEMM, self.threads)
            yardsticks += [yardstick] if yardstick else []
        self._interleave(row, [*contestants, *yardsticks])
        self._summarise(contestants)
        speeds = [
            2.0 * SGEMM_SIZE**3 / statistics.median(each.samples) / 1e9
            for each in yardsticks
            if each.samples
        ]
        found.sgemm = max(speeds, default=None)
        return found

    def _scaling(self, row: Row) -> RowResult:
        """ffgan alone, on one thread and on two, each in a process of its own."""
        found = RowResult(row, [])
        contestants = []
        for threads in (1, 2):
            result = Result(
                f"{SUBJECT}-{threads}", f"ffgan, {threads} thread{'s' if threads > 1 else ''}"
            )
            found.results.append(result)
            if self.threads < 2:
                result.absent = "needs two threads"
                continue
            self.progress(f"{row.name}: preparing {result.title}")
            contestant = self._prepared(result, row.task, threads, SUBJECT)
            contestants += [contestant] if contestant else []
        self._interleave(row, contestants)
        self._summarise(contestants)
        one, two = (found.median(f"{SUBJECT}-{threads}") for threads in (1, 2))
        if one is not None and two is not None:
            found.notes.append(f"{one / two:.2f} times as fast on two threads")
        return found

    def _memory(self, row: Row) -> RowResult:
        """The peak of a process that was started for it and does two steps."""
        found = RowResult(row, [])
        for engine in self.chosen:
            if row.task.kind not in engine.kinds or not engine.takes_memory_row:
                continue
            result = Result(engine.name, engine.title, absent=self._absent(engine, row))
            found.results.append(result)
            if result.absent is not None:
                continue
            self.progress(f"{row.name}: {engine.title}")
            try:
                with Worker(engine.name, self.folder, self.threads) as worker:
                    worker.prepare(row.task, None)
                    worker.measure(MEMORY_STEPS)
                    result.summary = Summary.of([worker.ask(do="memory")["bytes"] / 1e6])
            except WorkerError as error:
                result.problem = str(error)
        return found

    def _interleave(self, row: Row, contestants: list[Contestant]) -> None:
        """Round by round a slice of each; who begins changes, and a busy round does not count."""
        plan = row.plan
        began = time.monotonic()
        rounds = 0
        while contestants and rounds < plan.rounds[1]:
            if rounds >= plan.rounds[0] and time.monotonic() - began > plan.seconds:
                break
            self.progress(f"{row.name}: round {rounds + 1}")
            self.guard.begin_round()
            first = rounds % len(contestants)
            for each in [*contestants[first:], *contestants[:first]]:
                try:
                    each.slice(plan)
                except WorkerError as error:
                    each.result.problem = str(error)
            contestants = [each for each in contestants if each.result.problem is None]
            if not self.guard.accept_round():
                continue
            rounds += 1
            for each in contestants:
                each.samples += each.fresh

    @staticmethod
    def _summarise(contestants: list[Contestant]) -> None:
        for each in contestants:
            if each.result.problem is None and each.samples:
                each.result.summary = Summary.of(each.samples).scaled(1e3 / each.task.batch)
