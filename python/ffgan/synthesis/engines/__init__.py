# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the shards of a data set: this process, and later others on more machines."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

from ffgan.synthesis.job import Job
from ffgan.synthesis.records import Record
from ffgan.synthesis.shards import Shard

_MODULES: Final[Mapping[str, str]] = {"local": "local"}
ENGINES: Final = tuple(_MODULES)

Tell: TypeAlias = Callable[[int], None]
"""Called with the number of pictures of this run that are made."""


class Engine(Protocol):
    """A module of an engine."""

    def run(self, job: Job, shards: Sequence[Shard], tell: Tell) -> Iterator[Record]:
        """Make the shards by `Job.make`, in any order, and yield the record of each.

        What one raises ends all; shards that are made stay.
        """


def engine(name: str) -> Engine:
    """Return an engine by its name. Its libraries are imported when it is used."""
    module: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return cast(Engine, module)
