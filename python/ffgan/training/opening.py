# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run opens before its first step, and how a signal ends it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ffgan.dataset import Dataset
from ffgan.errors import UnavailableError
from ffgan.interruption import Interrupted, Interruption
from ffgan.progress import Progress, ShowProgress, show_nothing
from ffgan.training.plan import Plan
from ffgan.training.validation import HeldOut


@contextmanager
def early_end(interruption: Interruption) -> Iterator[None]:
    """Within it images that do not come after a signal end the run as the signal does."""
    try:
        yield
    except UnavailableError as error:
        if interruption.received is None:
            raise
        raise _stopped_early(interruption.received) from error


def _stopped_early(signal_number: int) -> Interrupted:
    return Interrupted(
        "stopped before the first step; start again with the same command", signal_number
    )


def open_dataset(plan: Plan, *, cache: str | None, skipped_log: Path | None) -> Dataset:
    """The images that a run is on; those that a resumed run has, where rules have changed."""
    checkpoint = plan.checkpoint
    return Dataset(
        plan.directory,
        fit=plan.settings.fit,
        colour=plan.settings.colour,
        cache=cache,
        skipped_log=skipped_log,
        workers=plan.settings.workers,
        include_generated=plan.settings.include_generated,
        as_of=None if checkpoint is None else checkpoint.record["data"]["hash"],
    )


def open_held_out(
    plan: Plan, interruption: Interruption | None = None, progress: ShowProgress = show_nothing
) -> HeldOut | None:
    """The images that a run is evaluated on, if it is."""
    settings = plan.settings
    if settings.heldout is None or not settings.evaluate_every:
        return None
    return HeldOut(
        settings.heldout,
        samples=settings.evaluate_samples,
        fit=settings.fit,
        colour=settings.colour,
        workers=settings.workers,
        progress=stage("held-out images", interruption, progress),
        interrupted=lambda: interruption is not None and interruption.received is not None,
    )


def stage(
    name: str,
    interruption: Interruption | None,
    progress: ShowProgress,
    *,
    every: int | None = None,
    whole: bool = False,
) -> Callable[[int, int], None]:
    """A function that tells how far a stage before the first step is, and that a signal stops.

    With ``whole`` it counts for itself in the bar.
    """

    def show(done: int, total: int) -> None:
        if interruption is not None and interruption.received is not None:
            raise _stopped_early(interruption.received)
        notable = done == total or (every is not None and done % every == 0)
        fraction = done / total if whole else None
        progress(Progress(name, done, total, fraction=fraction, notable=notable))

    return show
