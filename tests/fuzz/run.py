# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzing of ffgan's readers: python tests/fuzz/run.py TARGET --count N --seed S

Input number i is a function of target, seed and i. The inputs run in a process of their own, so
that one which ends it, or hangs, is found by its number: --start I --count 1 runs it alone. A
finding is any exception but a child of ffgan.Error, a message of several lines, the end of the
process, more than two seconds of processor time, or more memory than the target allows for an
input of its size (a limit of the address space, so that the allocation itself fails).
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import mmap
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from ffgan.errors import Error
from fuzz.target import Target
from fuzz.targets import CLASSES, make

SECONDS = 2.0
"""Of processor time, for one input."""

PATIENCE = 60.0
"""Seconds by the clock until an input hangs: other programs may take the processor meanwhile."""

CRASH = "ended the process"
HANG = "hang"

REPORT = 1000
"""Inputs after which a worker says how far it is."""


class Tally:
    """What became of the inputs: findings by where they came from, with the first's number."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.findings: dict[str, dict[str, Any]] = {}

    def finding(self, what: str, index: int, more: str = "") -> None:
        found = self.findings.setdefault(what, {"first": index, "count": 0, "more": more})
        found["count"] += 1

    def add(self, other: dict[str, Any]) -> None:
        self.accepted += other["accepted"]
        self.refused.update(other["refused"])
        for what, found in other["findings"].items():
            ours = self.findings.setdefault(what, {**found, "count": 0})
            ours["count"] += found["count"]

    def as_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "findings": self.findings,
        }


def try_input(target: Target, seed: int, index: int, tally: Tally, *, limited: bool = True) -> None:
    """Make one input and see what the reader does with it."""
    data = target.input(Random(f"{target.name} {seed} {index}"))
    started = time.perf_counter()
    try:
        with _limited(target.bound(data)) if limited else nullcontext():
            target.run(data)
        tally.accepted += 1
    except target.own as error:
        tally.refused[type(error).__name__] += 1
        if isinstance(error, Error) and len(str(error).splitlines()) != 1:
            tally.finding(f"message of several lines: {_where(error)}", index, str(error)[:300])
        if (why := _out_of_memory(error)) is not None:
            tally.finding(f"memory: {_where(error)}", index, repr(why)[:300])
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        tally.finding(
            f"{type(error).__name__}: {_where(error)}",
            index,
            "".join(traceback.format_exception(error, limit=-4))[-1500:],
        )
    if (
        time.perf_counter() - started > SECONDS
        and (used := _processor_time(target, data)) > SECONDS
    ):
        tally.finding("slow", index, f"{used:.1f} s")


def _out_of_memory(error: BaseException | None) -> BaseException | None:
    """The failed allocation behind an error, which somebody took for damage."""
    while error is not None:
        text = str(error).lower()
        failed = "failed to alloc" in text or "insufficient memory" in text or "bad_alloc" in text
        if isinstance(error, MemoryError) or failed:
            return error
        error = error.__cause__ or error.__context__
    return None


def _processor_time(target: Target, data: Any) -> float:
    """Seconds of the processor for an input that took long by the clock."""
    started = time.process_time()
    with suppress(Exception):
        target.run(data)
    return time.process_time() - started


class _limited:
    """A context in which the process may take ``more`` bytes of addresses than now."""

    def __init__(self, more: int) -> None:
        self.more = more

    def __enter__(self) -> None:
        with open("/proc/self/statm", "rb") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + self.more, resource.RLIM_INFINITY))

    def __exit__(self, *_: object) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_AS, unlimited)


def _where(error: BaseException) -> str:
    """The innermost line of ours that the exception came through."""
    places = [
        f"{Path(frame.filename).name}:{frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "/ffgan/" in frame.filename
    ]
    return places[-1] if places else "outside"


def work(target: Target, seed: int, start: int, stop: int, skip: set[int], shared: Path) -> None:
    """Run inputs ``start`` to ``stop``; the number of each is in the file ``shared`` meanwhile."""
    faulthandler.enable()
    warnings.simplefilter("error")
    with shared.open("r+b") as file:
        place = mmap.mmap(file.fileno(), 8)
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        target.prepare(Path(folder))
        tally = Tally()
        for index in range(start, stop):
            struct.pack_into("<Q", place, 0, index)
            if index not in skip:
                try_input(target, seed, index, tally)
            if (index + 1) % REPORT == 0 or index + 1 == stop:
                print(json.dumps({"next": index + 1, **tally.as_json()}), flush=True)
                tally = Tally()


def _memory() -> str | None:
    """A folder in memory for the files that are read again and again, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def campaign(name: str, seed: int, start: int, count: int, *, quiet: bool = False) -> Tally:
    """Run inputs in processes of their own until all are done."""
    tally = Tally()
    skip: set[int] = set()
    stop = start + count
    one_thread = {
        "FFGAN_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        shared, errors, output = (Path(folder) / part for part in ("index", "errors", "output"))
        shared.write_bytes(bytes(8))
        while start < stop:
            command = [sys.executable, __file__, name, "--seed", str(seed), "--start", str(start)]
            command += ["--count", str(stop - start), "--worker", str(shared)]
            command += ["--skip", ",".join(map(str, skip))]
            with errors.open("wb") as to_errors, output.open("w+") as to_output:
                process = subprocess.Popen(
                    command, stdout=to_output, stderr=to_errors, env={**os.environ, **one_thread}
                )
                ended = _watch(process, shared)
            for line in output.read_text().splitlines():
                part = json.loads(line)
                tally.add(part)
                start = part["next"]
            if start < stop:
                (at,) = struct.unpack("<Q", shared.read_bytes())
                if not ended.endswith(CRASH) and ended != HANG:
                    raise SystemExit(f"the worker ended: {errors.read_text()[-2000:]}")
                tally.finding(ended, at, errors.read_text(errors="replace")[-1500:])
                skip.add(at)
            if not quiet:
                print(f"{name}: {start - stop + count:,} of {count:,}", file=sys.stderr)
    return tally


def _watch(process: subprocess.Popen[bytes], shared: Path) -> str:
    """Wait for the worker, and end it when an input hangs; returns how it ended."""
    last, since = b"", time.monotonic()
    while True:
        try:
            status = process.wait(1.0)
            return f"signal {-status} {CRASH}" if status < 0 else f"status {status}"
        except subprocess.TimeoutExpired:
            pass
        now = shared.read_bytes()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            process.kill()
            process.wait()
            return HANG


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("target", choices=CLASSES)
    parser.add_argument("--count", type=int, default=10_000, help="inputs (default: 10000)")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (default: 1)")
    parser.add_argument("--start", type=int, default=0, help="number of the first (default: 0)")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--skip", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        skip = {int(index) for index in given.skip.split(",") if index}
        stop = given.start + given.count
        work(make(given.target), given.seed, given.start, stop, skip, given.worker)
        return 0
    started = time.monotonic()
    tally = campaign(given.target, given.seed, given.start, given.count)
    result = {"target": given.target, "seed": given.seed, "count": given.count}
    result |= {"seconds": round(time.monotonic() - started), **tally.as_json()}
    print(json.dumps(result, indent=2))
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
