# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the shards of a data set: this process, or others on many machines."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, cast

from ffgan.synthesis.job import Job
from ffgan.synthesis.records import Record
from ffgan.synthesis.shards import Shard

_MODULES: Final[Mapping[str, str]] = {"local": "local", "ray": "on_ray"}
ENGINES: Final = tuple(_MODULES)

Tell: TypeAlias = Callable[[int], None]
"""Called with the number of pictures of this run that are made."""


@dataclass(frozen=True)
class Cluster:
    """Where shards are made, for engines with more than one process.

    ``address``: of a running cluster; without one, what the environment names, or else one is made
    of this machine. ``workers``: shards at a time, without a number as many as it has room for.
    ``cores`` of each, 1.
    """

    address: str | None = None
    workers: int | None = None
    cores: int | None = None


class Engine(Protocol):
    """A module of an engine."""

    def check(self, cluster: Cluster) -> None:
        """Raise `UsageError` for what it does not take, `ExtraError` without its library."""

    def run(
        self, job: Job, shards: Sequence[Shard], tell: Tell, cluster: Cluster
    ) -> Iterator[Record]:
        """Make the shards by `Job.make`, in any order, and yield the record of each.

        What one raises ends all; shards that are made stay.
        """


def engine(name: str) -> Engine:
    """Return an engine by its name. Its libraries are imported when it is used."""
    module: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return cast(Engine, module)
