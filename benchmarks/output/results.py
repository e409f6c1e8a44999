# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, before it is a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.engines import SUBJECT
from benchmarks.output.rows import Row
from benchmarks.output.summary import Summary


@dataclass
class Result:
    """One engine in one row: `summary`, in the row's unit, or `problem`, the reason why not.

    `absent` says why it was not asked at all. `check` is the largest difference from ffgan's
    outputs.
    """

    engine: str
    title: str
    summary: Summary | None = None
    problem: str | None = None
    absent: str | None = None
    check: float | None = None


@dataclass
class RowResult:
    """`flop` is per item, `sgemm` the GFLOP/s of the better product during the row's rounds."""

    row: Row
    results: list[Result]
    flop: float | None = None
    sgemm: float | None = None
    notes: list[str] = field(default_factory=list)

    def median(self, engine: str) -> float | None:
        for result in self.results:
            if result.engine == engine and result.summary is not None:
                return result.summary.median
        return None

    def ratio(self, result: Result) -> float | None:
        """ffgan's median by the peer's: below 1, ffgan takes less."""
        ours = self.median(SUBJECT)
        if ours is None or result.summary is None or result.engine == SUBJECT:
            return None
        return ours / result.summary.median

    def gflops(self, result: Result) -> float | None:
        """Of the direct algorithm: one with fewer multiplications may exceed the peak."""
        if self.flop is None or result.summary is None:
            return None
        return self.flop / (result.summary.median / 1e3) / 1e9

    def share(self, result: Result) -> float | None:
        gflops = self.gflops(result)
        return None if gflops is None or not self.sgemm else gflops / self.sgemm

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.row.name,
            "title": self.row.title,
            "unit": self.row.unit,
            "task": asdict(self.row.task),
            "gflop_per_item": None if self.flop is None else self.flop / 1e9,
            "sgemm_gflops": self.sgemm,
            "notes": self.notes,
            "results": [
                {
                    "engine": result.engine,
                    "title": result.title,
                    "problem": result.problem,
                    "absent": result.absent,
                    "summary": None if result.summary is None else asdict(result.summary),
                    "difference": result.check,
                    "ffgan_by_this": self.ratio(result),
                    "gflops": self.gflops(result),
                    "share_of_sgemm": self.share(result),
                }
                for result in self.results
            ],
        }


def problems(rows: Sequence[RowResult]) -> list[str]:
    """One line for each engine that failed somewhere."""
    return [
        f"{found.row.name}: {result.title}: {result.problem}"
        for found in rows
        for result in found.results
        if result.problem is not None
    ]
