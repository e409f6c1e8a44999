# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes that compute, seen from the one that measures."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.engines import BEFORE, FOLDER
from benchmarks.errors import BenchmarkError
from benchmarks.output.rows import Task

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 600.0


class WorkerError(BenchmarkError):
    """An engine failed: said in the result, and no reason to stop."""


def environment(threads: int, engine: str = "") -> dict[str, str]:
    """This process's, with the number of threads for every library that could look for it there.

    An earlier build of ffgan is found by its folder.

    How idle threads wait is left to each library, whose default is its fastest; the pause before
    each slice sees to it that they have gone to sleep.
    """
    count = str(threads)
    path = os.environ.get("PYTHONPATH", "")
    if engine == BEFORE:
        path = os.pathsep.join(part for part in (os.environ[FOLDER], path) if part)
    return os.environ | {
        "PYTHONPATH": path,
        # Else a source tree's modules would be compiled at each start, an installed one's not.
        "PYTHONDONTWRITEBYTECODE": "",
        "FFGAN_NUM_THREADS": count,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        # torch.compile's helper processes would outlive the compilation.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        # It would ask the network.
        "OPENVINO_TELEMETRY_OPT_OUT": "1",
    }


class Worker:
    """A worker process. Ends with `close`, and with its `with` block."""

    def __init__(self, engine: str, folder: Path, threads: int) -> None:
        self.engine = engine
        self.threads = threads
        # Appended to by the worker, read when it dies.
        self._complaints = tempfile.TemporaryFile(  # noqa: SIM115  (closed by close)
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measure.worker", engine, str(folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            cwd=ROOT,
            env=environment(threads, engine),
            start_new_session=True,  # so that a compiler below it can be ended with it
        )
        self._replies: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put("")

    def ask(self, limit: float = LIMIT_SECONDS, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the reply. Raises `WorkerError` when there is none."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._replies.get(timeout=limit)
        except queue.Empty:
            self.close()
            raise WorkerError(f"did not finish within {limit:.0f} s") from None
        except OSError:
            line = ""
        if not line:
            status = self._process.wait()
            reason = self._last_complaint()
            self.close()
            raise WorkerError(f"ended with status {status}{f': {reason}' if reason else ''}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise WorkerError(_one_line(reply["error"]))
        return reply

    def prepare(self, task: Task, outputs: str | None, limit: float = LIMIT_SECONDS) -> float:
        """Set the worker up for `task`; with `outputs`, also write that file to compare.

        Returns the seconds that one iteration may take, 0 where that is unknown.
        """
        request = {"task": asdict(task), "check": outputs is not None, "outputs": outputs}
        return float(self.ask(limit, do="prepare", **request).get("seconds", 0.0))

    def measure(self, iterations: int, warm_up: int = 0) -> list[float]:
        """The seconds of each iteration."""
        reply = self.ask(do="measure", iterations=iterations, warm_up=warm_up)
        return [float(seconds) for seconds in reply["seconds"]]

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            # Its own session, made above.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._complaints.close()

    def _last_complaint(self) -> str:
        self._complaints.seek(0)
        lines = [line.strip() for line in self._complaints.read().splitlines() if line.strip()]
        return _one_line(lines[-1]) if lines else ""


def _one_line(text: str) -> str:
    """The first line of an error, cut where nobody reads on."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 200 else line[:197] + "..."
