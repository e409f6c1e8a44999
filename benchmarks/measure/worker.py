# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that computes with one engine, told what to do by lines of JSON on its stdin.

    python -m benchmarks.worker ENGINE FOLDER THREADS

FOLDER is that of benchmarks/workload.py. Each request is answered by one line on stdout; what
libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import engines
from benchmarks.measure.computation import Computation
from benchmarks.output.rows import Task


def answer(computation: Computation, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "versions":
            return computation.versions()
        case "prepare":
            task = Task(**request["task"])
            computation.prepare(task)
            if not request["check"]:
                return {}
            if task.kind != "sgemm":
                np.save(folder / request["outputs"], computation.check(task))
            # A step of training is long, and its check was the warm-up.
            return {
                "seconds": min(computation.measure(2))
                if task.kind not in ("train", "recipe")
                else 0.0
            }
        case "measure":
            computation.measure(request["warm_up"])
            return {"seconds": computation.measure(request["iterations"])}
        case "memory":
            return {"bytes": computation.peak_memory()}
    raise ValueError(f"unknown request {request}")


def main() -> None:
    name, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    computation: Computation | None = None
    try:
        for line in sys.stdin:
            try:
                if computation is None:
                    computation = engines.create(name, folder, threads)
                reply = answer(computation, folder, json.loads(line))
            except Exception as error:
                traceback.print_exc()
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), file=replies, flush=True)
    finally:
        if computation is not None:
            computation.close()


if __name__ == "__main__":
    main()
