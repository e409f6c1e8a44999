# SPDX-License-Identifier: GPL-3.0-or-later
"""Throughput and latency of the web server against its engine: `python -m benchmarks.service`.

Starts the server in another process, sends requests over loopback, and prints tables in Markdown.
Every request is for a different seed and one draw (`tries=1`), so that each face costs the same.

- idle: one connection, one request after another;
- capacity: enough connections to keep the batches full, each with its next request at once;
- overload: requests start at twice the rate that was measured at capacity, whether or not earlier
  ones were answered, as those of independent clients do.

The server's processor time per face can also be compared on a busy machine, where the rates cannot.
The client is a few lines of asyncio in this process: it takes a fraction of a millisecond of a core
per request, which the server then lacks.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure.machine import processor
from ffgan import __version__, images
from ffgan.latent import noise
from ffgan.model import Model
from ffgan.server import Settings

WARM_UP = 50
IN_PROCESS_SECONDS = 5.0
# In the measurement of memory, requests without a drawn face for each one with it.
OTHERS = 4


@dataclass
class Answers:
    """The responses: their seconds by status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    elapsed: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        self.seconds.setdefault(status, []).append(seconds)

    @property
    def rate(self) -> float:
        return self.faces / self.elapsed

    @property
    def faces(self) -> int:
        return len(self.seconds.get(200, ()))

    def share(self, status: int) -> float:
        every = sum(len(seconds) for seconds in self.seconds.values())
        return len(self.seconds.get(status, ())) / max(every, 1)

    def milliseconds(self, quantile: float, status: int = 200) -> float:
        return 1000 * float(np.quantile(self.seconds.get(status, [np.nan]), quantile))


class Connection:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: str = "") -> int:
        """The status of the response, which is read to its end."""
        try:
            head = await self._ask(path, headers)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The server may close an idle connection; a client then opens a new one.
            self.close()
            self._streams = None
            head = await self._ask(path, headers)
        assert self._streams is not None
        reader = self._streams[0]
        length = re.search(rb"content-length: (\d+)", head)
        if length is not None:
            await reader.readexactly(int(length[1]))
        return int(head[9:12])

    async def _ask(self, path: str, headers: str) -> bytes:
        """The head of the response."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        return await reader.readuntil(b"\r\n\r\n")

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class Server:
    """`python -m ffgan web` at a free port."""

    def __init__(self, options: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ffgan", "web", "--port", "0", "--tries", "1", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        said = re.search(r"serving http://[^:]+:(\d+)", self.process.stdout.readline())
        if said is None:
            raise SystemExit("the server did not start")
        self.port = int(said[1])

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def memory(self) -> float:
        """MB resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def processor_time(self) -> float:
        """Seconds so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        after_name = stat.rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


async def closed(port: int, connections: int, paths: Iterator[str], *, seconds: float) -> Answers:
    """Each connection sends its next request as soon as it has the response."""
    answers = Answers()
    begin = time.perf_counter()

    async def ask() -> None:
        connection = Connection(port)
        while time.perf_counter() - begin < seconds:
            sent = time.perf_counter()
            status = await connection.get(next(paths))
            answers.add(status, time.perf_counter() - sent)
        connection.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    answers.elapsed = time.perf_counter() - begin
    return answers


async def arriving(port: int, rate: float, paths: Iterator[str], *, seconds: float) -> Answers:
    """Requests start at `rate` a second; free connections are reused."""
    answers, free, tasks = Answers(), [], set()
    begin = time.perf_counter()

    async def ask() -> None:
        connection = free.pop() if free else Connection(port)
        sent = time.perf_counter()
        status = await connection.get(next(paths))
        answers.add(status, time.perf_counter() - sent)
        free.append(connection)

    # Independent clients: a Poisson process.
    waits = np.random.default_rng(1).exponential(1 / rate, int(2 * rate * seconds) + 10)
    for due in itertools.takewhile(lambda due: due < seconds, np.cumsum(waits)):
        await asyncio.sleep(max(0.0, begin + float(due) - time.perf_counter()))
        tasks.add(asyncio.ensure_future(ask()))
    answers.elapsed = time.perf_counter() - begin
    await asyncio.gather(*tasks)
    for connection in free:
        connection.close()
    return answers


async def many(port: int, requests: int, connections: int) -> Counter[int]:
    """Statuses of `requests`: one in five draws a face, the others need none, or are invalid."""
    statuses: Counter[int] = Counter()
    numbers = iter(range(requests))

    async def ask() -> None:
        connection = Connection(port)
        for number in numbers:
            seed, kind = divmod(number, OTHERS + 1)
            path, headers = [
                (f"/face.png?seed={seed}", ""),
                (f"/face.webp?seed={seed}", "If-None-Match: *\r\n"),
                ("/", ""),
                (f"/face.png?seed=-1{seed}", ""),
                (f"/nothing/{seed}", ""),
            ][kind]
            statuses[await connection.get(path, headers)] += 1
        connection.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return statuses


def in_process(batch: int) -> str:
    """The row of the same work without a server."""
    model = Model.load()
    calls: list[float] = []
    seeds = itertools.count()
    model.render(np.stack([noise(0)]))
    begin, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < IN_PROCESS_SECONDS:
        start = time.perf_counter()
        faces = model.render(np.stack([noise(next(seeds)) for _ in range(batch)]))
        model.score(faces)
        for face in faces:
            images.encode(face, "png")
        calls.append(1000 * (time.perf_counter() - start))
    count = batch * len(calls)
    rate = count / (time.perf_counter() - begin)
    cost = 1000 * (time.process_time() - used) / count
    what = "one face at a time" if batch == 1 else f"{batch} at a time"
    p50, p99 = np.quantile(calls, (0.5, 0.99))
    return f"| in process | {what} | {rate:.0f} | {cost:.1f} | {p50:.1f} | {p99:.1f} | | {load()} |"


def load() -> str:
    """The load average of the last minute, this benchmark included."""
    return f"{os.getloadavg()[0]:.1f}"


def measure(seconds: float, asked: str) -> list[str]:
    """Rows of the table for the server; ``asked`` is the rest of each request's query."""
    rows = []
    with Server([]) as server:
        paths = (f"/face.png?seed={seed}{asked and '&' + asked}" for seed in itertools.count())
        asyncio.run(closed(server.port, 4, paths, seconds=2))

        def row(what: str, measured: Coroutine[Any, Any, Answers]) -> Answers:
            used = server.processor_time()
            answers = asyncio.run(measured)
            cost = 1000 * (server.processor_time() - used) / max(answers.faces, 1)
            rows.append(
                f"| HTTP | {what} | {answers.rate:.0f} | {cost:.1f} | "
                f"{answers.milliseconds(0.5):.1f} | {answers.milliseconds(0.99):.1f} | "
                f"{100 * answers.share(503):.0f} % | {load()} |"
            )
            return answers

        row("idle: one connection", closed(server.port, 1, paths, seconds=seconds))
        connections = 2 * Settings().batch
        full = row(
            f"capacity: {connections} connections",
            closed(server.port, connections, paths, seconds=seconds),
        )
        row(
            f"overload: {2 * full.rate:.0f} new requests a second",
            arriving(server.port, 2 * full.rate, paths, seconds=seconds),
        )
    return rows


def measure_memory(requests: int) -> str:
    with Server([]) as server:
        asyncio.run(many(server.port, WARM_UP * OTHERS, 8))
        before = server.memory()
        begin = time.perf_counter()
        statuses = asyncio.run(many(server.port, requests, 8))
        seconds = time.perf_counter() - begin
        after = server.memory()
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    return (
        f"Memory: {before:.0f} MB at the start, {after:.0f} MB after {requests} requests in "
        f"{seconds:.0f} s ({counts}); load {load()}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="per row (default: 20)")
    parser.add_argument(
        "--requests", type=int, default=100_000, help="for the measurement of memory"
    )
    parser.add_argument(
        "--asked",
        default="",
        metavar="QUERY",
        help="of each face, such as age=40 (default: nothing)",
    )
    arguments = parser.parse_args()

    print(f"{processor()}, {os.cpu_count()} cores; ffgan {__version__}\n")
    print(
        "| server | requests | faces/s | processor, ms per face | p50, ms | p99, ms | 503 | load |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for batch in (1, Settings().batch):
        print(in_process(batch), flush=True)
    for row in measure(arguments.seconds, arguments.asked):
        print(row, flush=True)
    if arguments.requests:
        print(f"\n{measure_memory(arguments.requests)}", flush=True)


if __name__ == "__main__":
    main()
