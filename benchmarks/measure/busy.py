# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something else uses the processor: then no two engines can be compared.

Linux's /proc says how long all processors were busy, or taken by another virtual machine (steal),
and how long each process of this benchmark's was; the difference is the others'.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BusyError

# Cores. Two engines that differ by less than this share of one core are a tie anyway.
LIMIT = 0.15
BEFORE_SECONDS = 1.0
LISTED = 3

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    name: str
    parent: int
    itself: float  # seconds of processor time
    children: float  # of its children that have ended


@dataclass(frozen=True)
class Load:
    """Cores used by others, and stolen from this virtual machine, over some time."""

    others: float
    stolen: float
    processes: tuple[tuple[str, float], ...] = ()

    @property
    def busy(self) -> bool:
        return self.others + self.stolen > LIMIT

    def __str__(self) -> str:
        names = ", ".join(f"{name} {cores:.2f}" for name, cores in self.processes)
        stolen = f", {self.stolen:.2f} are stolen by the host" if self.stolen >= 0.01 else ""
        return (
            f"other processes use {self.others:.2f} of {os.cpu_count()} cores"
            f"{f' ({names})' if names else ''}{stolen}"
        )

    def as_json(self) -> dict[str, Any]:
        return {"others": self.others, "stolen": self.stolen, "processes": dict(self.processes)}


@dataclass(frozen=True)
class Snapshot:
    """Processor times since boot, in seconds, at one moment."""

    moment: float
    used: float
    stolen: float
    processes: dict[int, Process]

    @classmethod
    def take(cls) -> Snapshot:
        fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
        user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, fields[:8])
        return cls(
            time.monotonic(),
            (user + nice + system + irq + softirq) / TICKS,
            stolen / TICKS,
            dict(_processes()),
        )

    def own(self) -> tuple[set[int], float]:
        """This process and all below it: their numbers, and their time so far."""
        children: dict[int, list[int]] = {}
        for number, process in self.processes.items():
            children.setdefault(process.parent, []).append(number)
        tree, waiting = set(), [os.getpid()]
        while waiting:
            number = waiting.pop()
            tree.add(number)
            waiting += children.get(number, [])
        # A child that ends moves its time to its parent's `children`: the sum stays.
        present = [self.processes[number] for number in tree if number in self.processes]
        return tree, sum(process.itself + process.children for process in present)

    def load_since(self, before: Snapshot) -> Load:
        elapsed = max(self.moment - before.moment, 1e-3)
        tree, own = self.own()
        own -= before.own()[1]
        others = max(0.0, self.used - before.used - own) / elapsed
        named = {
            f"{process.name} ({number})": (
                process.itself
                + process.children
                - (
                    before.processes[number].itself + before.processes[number].children
                    if number in before.processes
                    else 0
                )
            )
            / elapsed
            for number, process in self.processes.items()
            if number not in tree
        }
        listed = sorted(named.items(), key=lambda item: -item[1])[:LISTED]
        return Load(
            others,
            (self.stolen - before.stolen) / elapsed,
            tuple((name, cores) for name, cores in listed if cores >= 0.01),
        )


def _processes() -> Iterator[tuple[int, Process]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile
            continue
        # The name stands in parentheses and may hold anything.
        head, _, tail = text.rpartition(")")
        fields = tail.split()
        user, system, ended_user, ended_system = map(int, fields[11:15])
        yield (
            int(folder.name),
            Process(
                head.partition("(")[2],
                int(fields[1]),
                (user + system) / TICKS,
                (ended_user + ended_system) / TICKS,
            ),
        )


class Guard:
    """Refuses to compare while something else uses the processor.

    A round during which it did is measured again, a few times, before that.
    """

    PATIENCE = 3

    def __init__(self, force: bool) -> None:
        self.force = force
        self.before: Load | None = None
        self.rounds: list[Load] = []
        self.repeated = 0
        self._refused = 0
        self._began: Snapshot | None = None

    @property
    def busy(self) -> bool:
        """Whether any of what was kept was measured on a busy machine."""
        kept = [*self.rounds, *([self.before] if self.before else [])]
        return any(load.busy for load in kept)

    def check_before(self) -> None:
        """Watches for a second. Raises `BusyError` unless the machine is idle or forced."""
        began = Snapshot.take()
        time.sleep(BEFORE_SECONDS)
        self.before = Snapshot.take().load_since(began)
        if self.before.busy and not self.force:
            raise BusyError(self._refusal(self.before))

    def begin_round(self) -> None:
        self._began = Snapshot.take()

    def accept_round(self) -> bool:
        """Whether the round that ends now counts; else it is to be measured again.

        Raises `BusyError` after `PATIENCE` refused rounds in a row.
        """
        assert self._began is not None
        load = Snapshot.take().load_since(self._began)
        if load.busy and not self.force:
            self._refused += 1
            self.repeated += 1
            if self._refused >= self.PATIENCE:
                raise BusyError(self._refusal(load))
            return False
        self._refused = 0
        self.rounds.append(load)
        return True

    @staticmethod
    def _refusal(load: Load) -> str:
        return f"busy: {load}; wait until it is quiet, or measure all the same: --even-if-busy"

    def as_json(self) -> dict[str, Any]:
        return {
            "busy": self.busy,
            "forced": self.force,
            "limit_cores": LIMIT,
            "before": self.before.as_json() if self.before else None,
            "rounds": len(self.rounds),
            "rounds_busy": sum(load.busy for load in self.rounds),
            "rounds_repeated": self.repeated,
            "most": max((load.others + load.stolen for load in self.rounds), default=0.0),
        }
