# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards one after another in this process; each uses all cores."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ffgan.errors import UsageError

if TYPE_CHECKING:
    from ffgan.synthesis.engines import Cluster, Tell
    from ffgan.synthesis.job import Job
    from ffgan.synthesis.records import Record
    from ffgan.synthesis.shards import Shard


def check(cluster: Cluster) -> None:
    for name, value in vars(cluster).items():
        if value is not None:
            raise UsageError(f"{name} is for engines of a cluster: give the engine ray")


def run(job: Job, shards: Sequence[Shard], tell: Tell, cluster: Cluster) -> Iterator[Record]:
    done = 0
    for shard in shards:
        yield job.make(shard, functools.partial(_tell, tell, done))
        done += shard.count


def _tell(tell: Tell, before: int, pictures: int) -> None:
    tell(before + pictures)
