# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards as tasks of a Ray cluster: a running one, or one of this machine's cores.

Tasks write to the store themselves. A shard is the same whoever makes it, so one whose worker or
node is lost is made again elsewhere, and nothing comes of it if two make it. This process keeps
count; of a folder it believes that a shard is made when it sees it there.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ffgan import __version__, _core
from ffgan.errors import Error, ExtraError, UsageError
from ffgan.locations import Url
from ffgan.synthesis import records
from ffgan.synthesis.folder import SETTINGS, made_with
from ffgan.wording import counted

if TYPE_CHECKING:
    from ffgan.synthesis.engines import Cluster, Tell
    from ffgan.synthesis.job import Job
    from ffgan.synthesis.records import Record
    from ffgan.synthesis.shards import Shard
    from ffgan.synthesis.store import Store

ATTEMPTS: Final = 5
"""Workers that may be lost over one shard: then it is the shard, or the memory."""

SEEN_WITHIN: Final = 90.0
"""Seconds after which what a node wrote is seen on others. NFS keeps for a minute what was not
there."""

_ADDRESS: Final = "RAY_ADDRESS"
_MISSING: Final = re.compile("No module named '([^']+)'")
_CONNECT: Final = 10.0
_MOST_TOLD: Final = 50_000
_POLL: Final = 1.0
_STOP: Final = 20.0

logger = logging.getLogger("ffgan.synthesis.ray")


def check(cluster: Cluster) -> None:
    """Raise `ExtraError` without Ray, `UsageError` for numbers out of range."""
    for name, value in (("workers", cluster.workers), ("cores", cluster.cores)):
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}: give a number from 1 up")
    _ray()


def run(job: Job, shards: Sequence[Shard], tell: Tell, cluster: Cluster) -> Iterator[Record]:
    """See `ffgan.synthesis.engines.Engine`."""
    ray = _ray()
    try:
        with _connected(ray, cluster):
            yield from _Head(ray, job, cluster).records(shards, tell)
    finally:
        job.store.sweep()  # of what tasks had begun when they were ended


class _Head:
    """Hands out shards and keeps count of them."""

    def __init__(self, ray: Any, job: Job, cluster: Cluster) -> None:
        self._ray = ray
        self._job = job
        self._cores = cluster.cores or 1
        self._workers = cluster.workers
        options = {"num_cpus": self._cores, "max_retries": 0, "max_calls": 0}
        self._task = ray.remote(**options)(_make)
        # In a list: else each task would get the job itself, not only those that need it.
        self._given = [ray.put(job)], secrets.token_hex(8), _software(job), self._cores
        self._slots = 0
        self._looked = -float("inf")
        self._lost: Counter[str] = Counter()

    def records(self, shards: Sequence[Shard], tell: Tell) -> Iterator[Record]:
        waiting, done = deque(shards), 0
        # Waiting for these, not in Ray's own code, which makes one exception of all signals.
        under_way: dict[futures.Future[Any], tuple[Any, Shard]] = {}
        try:
            while waiting or under_way:
                while waiting and len(under_way) < self._limit():
                    shard = waiting.popleft()
                    task = self._task.remote(*self._given, shard)
                    under_way[task.future()] = task, shard
                ready, _ = futures.wait(under_way, _POLL, futures.FIRST_COMPLETED)
                for future in ready:
                    _, shard = under_way.pop(future)
                    record = self._result(future, shard)
                    if record is None:
                        waiting.appendleft(shard)
                        continue
                    done += shard.count
                    tell(done)
                    yield record
        finally:
            self._end({future: task for future, (task, _) in under_way.items()})

    def _limit(self) -> int:
        """How many shards may be under way: the nodes of a cluster come and go."""
        if self._workers is not None:
            return self._workers
        now = time.monotonic()
        if now - self._looked > 10 * _POLL:
            slots = sum(
                int(node["Resources"].get("CPU", 0) // self._cores)
                for node in self._ray.nodes()
                if node["Alive"]
            )
            if not slots:
                logger.warning(f"no node of the cluster has {counted(self._cores, 'core')}")
            self._slots, self._looked = slots, now
        return max(1, 2 * self._slots)  # the next one waits at its node, not for this process

    def _result(self, future: futures.Future[Any], shard: Shard) -> Record | None:
        """The record of the shard; None if its worker was lost."""
        errors = self._ray.exceptions
        try:
            node, content = future.result()
        except errors.RayTaskError as error:
            if isinstance(error.cause, Error):
                raise error.cause from None
            raise Error(f"{shard.name}: {_said(error.cause or error)}") from error
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
            errors.LocalRayletDiedError,
        ) as error:
            self._lost[shard.name] += 1
            kind = type(error).__name__
            if self._lost[shard.name] >= ATTEMPTS:
                raise Error(
                    f"{shard.name}: its worker was lost {ATTEMPTS} times ({kind}): see Ray's logs "
                    "and its memory, and run the same command again"
                ) from error
            logger.warning(f"{shard.name}: its worker was lost ({kind}), it is made again")
            return None
        except errors.RayError as error:
            raise Error(f"{shard.name}: {_said(error)}") from error
        record = records.Record.decode(content) if content else None
        return record or _seen(self._job.store, shard, node)

    def _end(self, tasks: dict[futures.Future[Any], Any]) -> None:
        # By an exception in the worker, which then removes what it had begun. By force Ray 2.60
        # ends this process, too, where a task was just done ("Tried to complete task that was not
        # pending").
        for task in tasks.values():
            self._ray.cancel(task)
        futures.wait(tasks, _STOP)


_jobs: dict[str, Any] = {}
"""In a worker, which lives on from task to task: the job that it has last worked on."""


def _make(
    given: list[Any], key: str, software: dict[str, str], cores: int, shard: Shard
) -> tuple[str, bytes]:
    """In a worker: make a shard, and return the name of the node, and the record.

    No record where it is large, so that Ray would keep it at the node, or where it is in a folder:
    its other users need not see it yet, or at all.
    """
    node = socket.gethostname()
    mine = {"ffgan": __version__}
    _compare(software, mine, node)
    # Ray sets OMP_NUM_THREADS for each task, and ffgan has read it for the first one.
    _core.set_threads(cores)
    if key not in _jobs:
        _jobs.clear()
        _jobs[key] = _ray().get(given[0])
    job: Job = _jobs[key]
    _compare(software, made_with(job.settings), node)
    if job.store.read(SETTINGS) is None:
        raise UsageError(
            f"{job.store} is not the same folder on {node}: give one that all nodes share, or a "
            "URL such as s3://bucket/faces"
        )
    content = job.make(shard).encode()
    told = isinstance(job.store.root, Url) and len(content) < _MOST_TOLD
    return node, content if told else b""


def _software(job: Job) -> dict[str, str]:
    """What the bytes depend on, by name and version."""
    return {"ffgan": __version__, **made_with(job.settings)}


def _compare(wanted: dict[str, str], there: dict[str, str], node: str) -> None:
    for name, version in there.items():
        if wanted.get(name) != version:
            raise UsageError(
                f"{node} has {name} {version}, this machine {wanted.get(name)}: install the same "
                "on all nodes, or the bytes differ"
            )


def _seen(store: Store, shard: Shard, node: str) -> Record:
    """The record of a shard that a node says it has made."""
    until = time.monotonic() + SEEN_WITHIN
    while (record := records.find(store, shard)) is None:
        if time.monotonic() > until:
            raise Error(
                f"{node} made {shard.name}, but it cannot be seen in {store}: give a folder that "
                "all nodes share, or a URL such as s3://bucket/faces"
            )
        time.sleep(0.5)
    return record


@contextmanager
def _connected(ray: Any, cluster: Cluster) -> Iterator[None]:
    """A context with a cluster: the caller's, a running one, or one that is started and ended."""
    if ray.is_initialized():
        yield
        return
    address = cluster.address or os.environ.get(_ADDRESS) or None
    how: dict[str, Any] = {"address": address or "local"}
    if address is None:
        cores = cluster.cores or 1
        all_of_them = int(_core.engine()["threads"])
        how["num_cpus"] = cores * (cluster.workers or max(1, all_of_them // cores))
        how["include_dashboard"] = False
    else:
        _knock(address)
    # Ray tells its makers of its use unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with _own_sigterm():
            ray.init(**how, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # ConnectionError, RuntimeError, ValueError and others
        ray.shutdown()
        where = "start Ray here" if address is None else f"work with the Ray cluster at {address}"
        raise Error(f"cannot {where}: {_said(error)}") from error
    except BaseException:
        ray.shutdown()
        raise
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """A context in which Ray starts: it takes SIGTERM, and makes a SystemExit of it."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False
    try:
        yield
    except SystemExit as error:
        if error.code != signal.SIGTERM:
            raise
        came = True
    finally:
        signal.signal(signal.SIGTERM, handler)
    if came:
        signal.raise_signal(signal.SIGTERM)
        raise SystemExit(128 + signal.SIGTERM)  # where the handler did nothing: Ray has not started


def _knock(address: str) -> None:
    """Raise `UsageError` where nothing listens: Ray itself tries for a minute."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT).close()
    except OSError as error:
        raise UsageError(
            f"no Ray cluster at {address} ({error.strerror or error}): see `ray status` on its "
            "head, or leave --address out"
        ) from error


def _said(error: BaseException) -> str:
    """What Ray says, as one line; it puts the reason into the lines that follow."""
    text = " ".join(str(error).split()) or type(error).__name__
    if (missing := _MISSING.search(text)) is not None:
        return f"a node has no {missing[1]}: install the same packages on all nodes"
    return text if len(text) <= 400 else text[:397] + "..."


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ExtraError(
            "the engine ray needs Ray: pip install 'ffgan[ray]', or take the engine local"
        ) from error
    return ray
