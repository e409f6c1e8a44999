# SPDX-License-Identifier: GPL-3.0-or-later
"""How far long work is: what a training run tells its caller, who shows it or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """How far one stage of a run is.

    ``done`` of ``total`` steps or images of ``stage`` are over; ``total`` is None where time ends
    the run. ``fraction`` of the whole work is done, from 0 to 1; None where that is not known.
    ``images_per_second``, ``seconds_left`` and ``measures`` (by the names of train.jsonl) are those
    of training steps, which ``ranks`` processes share; ``reducing`` is the share of the time in
    which these put their results together. ``notable`` reports are worth a line in a log; the
    others move a bar only.
    """

    stage: str
    done: int
    total: int | None
    fraction: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    ranks: int = 1
    reducing: float = 0.0
    measures: Mapping[str, float] = field(default_factory=dict)
    notable: bool = False


ShowProgress: TypeAlias = Callable[[Progress], None]


def show_nothing(progress: Progress) -> None:
    """The `ShowProgress` of a caller who wants to see none."""


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as in 1:02:03."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
