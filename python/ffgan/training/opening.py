# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run opens before its first step, and how a signal ends it there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ffgan import _core
from ffgan.dataset import Dataset
from ffgan.errors import UnavailableError, UsageError
from ffgan.interruption import Interrupted, Interruption
from ffgan.progress import Progress, ShowProgress, show_nothing
from ffgan.ranks import Ranks, met
from ffgan.training.plan import Plan
from ffgan.training.settings import Settings
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


def open_dataset(plan: Plan, *, cache: str | None, ranks: Ranks | None = None) -> Dataset:
    """The images that a run is on; those that a resumed run has, where rules have changed.

    ``ranks``, of whom the first one writes what is skipped; without them nobody does.
    """
    checkpoint = plan.checkpoint
    return Dataset(
        plan.directory,
        fit=plan.settings.fit,
        colour=plan.settings.colour,
        cache=cache,
        skipped_log=plan.folder.skipped if ranks is not None and ranks.is_first else None,
        workers=plan.settings.workers,
        include_generated=plan.settings.include_generated,
        as_of=None if checkpoint is None else checkpoint.record["data"]["hash"],
    )


def check_same(ranks: Ranks, plan: Plan, dataset: Dataset) -> None:
    """Raise UsageError where ranks are too many, or differ in what makes their networks equal."""
    if ranks.alone:
        return
    settings = plan.settings
    least = settings.batch
    if settings.warm_start:
        least = min(least, settings.warm_start_batch)
    if settings.projected_weight > 0.0 and settings.projected_details > 0.0:
        least = min(least, math.ceil(settings.projected_details * settings.batch))
    if ranks.count > least:
        raise met(
            UsageError(
                f"{ranks.count} processes cannot share a batch of which a part has {least} images: "
                "start fewer, or use a larger --batch (and --warm-start-batch)"
            )
        )
    own = ("threads", "workers", "cache", "window")
    facts: dict[str, Any] = {
        "the instruction set (FFGAN_ISA)": _core.engine()["instructions"],
        "the number of images": len(dataset),
        "the hash of the images' names and sizes": dataset.hash,
        "the step of the newest checkpoint": plan.checkpoint and plan.checkpoint.step,
        **{
            about.flag: getattr(settings, name)
            for name, about in Settings.about().items()
            if name not in own
        },
    }
    ranks.check_same(facts, "program, command, images and run folder")


def share_cache(ranks: Ranks, plan: Plan, dataset: Dataset) -> None:
    """Let the first rank make the cache of images, if there is to be one, and all others use it."""
    if not ranks.alone and plan.settings.cache is not None:
        ranks.first(dataset.build_cache)
        ranks.each(lambda: None if ranks.is_first else dataset.build_cache())


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
