# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards one after another in this process; each uses all cores."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ffgan.synthesis.engines import Tell
    from ffgan.synthesis.job import Job
    from ffgan.synthesis.records import Record
    from ffgan.synthesis.shards import Shard


def run(job: Job, shards: Sequence[Shard], tell: Tell) -> Iterator[Record]:
    done = 0
    for shard in shards:
        yield job.make(shard, functools.partial(_tell, tell, done))
        done += shard.count


def _tell(tell: Tell, before: int, pictures: int) -> None:
    tell(before + pictures)
