# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m benchmarks`: ffgan against every other engine that is installed."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import engines
from benchmarks.engines import BEFORE, BF16_SUBJECT, DLIB, FOLDER
from benchmarks.engines.plain_dlib import PROGRAM
from benchmarks.errors import BenchmarkError
from benchmarks.measure import dlib_program, machine, workload
from benchmarks.measure.busy import Guard
from benchmarks.measure.measure import Session
from benchmarks.measure.workers import ROOT
from benchmarks.output import rows, table
from benchmarks.output.results import RowResult, problems

FORMAT = "ffgan-benchmark-1"

EPILOG = """\
Each engine computes in a process of its own, in turns with the others, while they sleep. Before
anything is timed its outputs are compared with ffgan's. On a machine that does something else
nothing is compared.

exit status: 0 measured, 1 an engine that was there failed, 2 nothing could be measured"""


def names(text: str) -> list[str]:
    """An argument type: names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def positive(text: str) -> int:
    """An argument type: a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"under two minutes, without {rows.QUICK_LEAVES_OUT}",
    )
    parser.add_argument(
        "--rows",
        type=names,
        metavar="NAME,...",
        help=f"only these, or all that begin so: {', '.join(row.name for row in rows.all_rows())}",
    )
    parser.add_argument(
        "--engines",
        type=names,
        metavar="NAME,...",
        help=f"only these, and ffgan: {', '.join(engine.name for engine in engines.ENGINES)}",
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="threads of each engine (default: all cores)"
    )
    parser.add_argument(
        "--even-if-busy",
        "--force",
        dest="force",
        action="store_true",
        help="measure on a busy machine too, and mark the result",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="also measure an earlier build of ffgan: the folder that holds its package, with its "
        "extension, or a source tree of such",
    )
    parser.add_argument(
        "--faces",
        type=positive,
        default=rows.FACES_WRITTEN,
        metavar="N",
        help="files of the row `files` (default: %(default)s)",
    )
    parser.add_argument(
        "--dlib-source",
        type=Path,
        metavar="DIR",
        help="dlib 20.0.1 or later to compile plain dlib from: a folder or a .tar.gz "
        "(default: what ffgan's build fetched)",
    )
    parser.add_argument(
        "--compile-limit",
        type=positive,
        default=240,
        metavar="SECONDS",
        help="how long torch.compile may take for a row (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    return parser.parse_args(arguments)


def make_workload(folder: Path, wanted: Sequence[rows.Row]) -> dict[str, Any]:
    """Let a process of its own write the inputs; what it found out about ffgan."""
    command = [sys.executable, "-m", "benchmarks.measure.workload", str(folder)]
    if any(row.task.kind == "recipe" for row in wanted):
        command.append("recipe")
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        last = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BenchmarkError(f"ffgan cannot be measured: {last}; install it: pip install .")
    return workload.info(folder)


def earlier_build(folder: Path) -> Path:
    """The folder to import an earlier build from. Raises `BenchmarkError` unless it is one."""
    for place in (folder, folder / "python"):
        if list(place.glob("ffgan/_core*.so")):
            return place.resolve()
    raise BenchmarkError(f"--against {folder}: there is no ffgan/_core*.so in it, nor in python/")


def exclusions(
    chosen: Sequence[engines.Engine], bf16: bool, options: argparse.Namespace
) -> dict[str, str]:
    """Why a chosen engine is not measured, by name. Compiles plain dlib where that is chosen.

    `bf16`: whether this build of ffgan computes in it.
    """
    reasons = {}
    for engine in chosen:
        if reason := engine.missing():
            reasons[engine.name] = reason
        elif engine.name == BF16_SUBJECT and not bf16:
            reasons[engine.name] = "this build of ffgan computes in float32"
        elif options.quick and engine.compiles:
            reasons[engine.name] = "left out by --quick"
    if any(engine.name == DLIB for engine in chosen):
        try:
            program = dlib_program.program(options.dlib_source, compile_it=not options.quick)
            os.environ[PROGRAM] = str(program)
        except dlib_program.NotBuiltError as error:
            reasons[DLIB] = str(error)
    return reasons


def measure(options: argparse.Namespace) -> tuple[list[RowResult], dict[str, Any]]:
    every_row = rows.quick_rows() if options.quick else rows.all_rows()
    wanted = rows.choose(every_row, options.rows) if options.rows else every_row
    named = options.engines or [each.name for each in engines.ENGINES if each.name != BEFORE]
    if options.against is not None:
        os.environ[FOLDER] = str(earlier_build(options.against))
        named = [*named, BEFORE]
    chosen = engines.choose(named)
    guard = Guard(options.force)
    guard.check_before()
    began = time.monotonic()
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ffgan-benchmark-")))
        info = make_workload(folder, wanted)
        threads = options.threads or info["engine"]["threads"]
        excluded = exclusions(chosen, info["bf16"], options)
        status = stack.enter_context(console.status("preparing"))
        session = stack.enter_context(
            Session(
                folder,
                info,
                threads,
                chosen,
                excluded,
                guard,
                options.compile_limit,
                lambda text: status.update(f"{time.monotonic() - began:.0f} s: {text}"),
            )
        )
        found = []
        for row in rows.with_faces(wanted, options.faces):
            found.append(session.measure(row))
            if not console.is_terminal:
                print(f"{time.monotonic() - began:4.0f} s  {row.name}", file=sys.stderr, flush=True)
        versions = session.versions
        if DLIB not in excluded and any(engine.name == DLIB for engine in chosen):
            versions["dlib"] = dlib_program.version(options.dlib_source)
    document = {
        "format": FORMAT,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(time.monotonic() - began),
        "machine": machine.describe(),
        "threads": threads,
        "quick": options.quick,
        "left_out": rows.QUICK_LEAVES_OUT if options.quick else None,
        "versions": versions,
        "ffgan": {
            "version": info["ffgan"],
            "engine": info["engine"],
            "model_sha256": info["model"]["sha256"],
        },
        "load": guard.as_json(),
        "rows": [row.as_json() for row in found],
    }
    return found, document


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        found, document = measure(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    table.show(found, document, Console())
    if options.quick:
        print(f"--quick leaves out {rows.QUICK_LEAVES_OUT}.")
    if options.json is not None:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.markdown is not None:
        options.markdown.write_text(table.markdown(found, document), encoding="utf-8")
    failures = problems(found)
    for line in failures:
        print(f"benchmarks: {line}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
