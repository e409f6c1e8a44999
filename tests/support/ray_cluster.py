# SPDX-License-Identifier: GPL-3.0-or-later
"""A Ray cluster of two nodes, which are processes of this machine, of one core each."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TASK = "ray::_make"


class Nodes:
    """The head and a node that may be killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        how = {"num_cpus": 1, "include_dashboard": False}
        self._cluster = _patiently(lambda: Cluster(initialize_head=True, head_node_args=how))
        self.address: str = self._cluster.address
        self._node: Any = None
        self._bare: Any = None

    def second(self) -> None:
        """Add the second node, if it is not there."""
        if self._node is None:
            self._node = _patiently(lambda: self._cluster.add_node(num_cpus=1))

    def bare(self) -> None:
        """Add a node on which ffgan is not installed, where most tasks go."""
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("PYTHONPATH", raising=False)
            self._bare = _patiently(lambda: self._cluster.add_node(num_cpus=8))

    def end_bare(self) -> None:
        self._cluster.remove_node(self._bare)

    def kill_node(self) -> None:
        """End the second node as a power cut does: its raylet and all its workers."""
        pids = self._workers()
        self._cluster.remove_node(self._node, allow_graceful=False)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._node = None

    def tasks_of_node(self) -> list[int]:
        """The processes of the second node that are making a shard."""
        return [pid for pid in self._workers() if _title(pid).startswith(TASK)]

    def _workers(self) -> list[int]:
        (raylet,) = self._node.all_processes["raylet"]
        return [pid for pid in pids() if _parent(pid) == raylet.process.pid]

    def stop(self) -> None:
        self._cluster.shutdown()


def _patiently(start: Callable[[], Any]) -> Any:
    """Ray gives a node 30 seconds to come up, which is short on a busy machine."""
    for _ in range(5):
        try:
            return start()
        except Exception as error:
            reason = error
    raise reason


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def when(what: Callable[[], Any], seconds: float = 120) -> Any:
    """What it returns, once that is something."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)
    return found


def running() -> Iterator[Nodes]:
    """For a fixture."""
    pytest.importorskip("ray", reason="needs pip install 'ffgan[ray]'")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        nodes = Nodes()
        try:
            yield nodes
        finally:
            nodes.stop()
