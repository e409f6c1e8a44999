# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do, and how long it would take, without doing it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ffgan.dataset import Dataset
from ffgan.latent import LATENT_SIZE
from ffgan.locations import GivenPlace
from ffgan.progress import ShowProgress, duration, show_nothing
from ffgan.training import enough
from ffgan.training.opening import open_dataset, open_held_out
from ffgan.training.plan import resolve
from ffgan.training.run_state import RunState
from ffgan.training.validation import HeldOut

# Of the measurement that tells how long an evaluation takes.
TIMED_SAMPLES = 32


def dry_run(
    directory: GivenPlace, *, progress: ShowProgress = show_nothing, **settings: Any
) -> str:
    """What `train` would do with these settings, and how long it would take.

    The time is measured on two real steps of each stage; nothing is written. Raises what `train`
    raises.
    """
    plan = resolve(directory, settings)
    # Without the cache, which would be written.
    with open_dataset(plan, cache=None) as dataset:
        enough.check(plan, len(dataset))
        held_out = open_held_out(plan, progress=progress)
        state = RunState(plan, dataset)
        if plan.checkpoint is not None:
            state.check_data(plan.checkpoint)
        elif plan.init != "scratch" and (note := state.load_model()):
            plan.notes.append(note)
        seconds = _seconds_per_step(state, dataset, held_out)
        settled = plan.settings
        lines = [
            f"{about.flag.removeprefix('--')}: {getattr(settled, name)}"
            for name, about in settled.about().items()
        ]
        lines.append(f"images: {len(dataset)} in {plan.directory}")
        lines.append(f"run folder: {plan.folder.path}")
        lines.append(f"starts from: {plan.origin}")
        lines.append(f"seconds per step: {seconds['adversarial']:.3f}")
        done = plan.checkpoint.step if plan.checkpoint else 0
        if warm := max(0, settled.warm_start - done):
            lines.append(f"seconds per warm-start step: {seconds['warm start']:.3f}")
        if held_out is not None:
            lines.append(f"held-out images: {held_out.samples} of {held_out.images}")
            lines.append(f"seconds per evaluation: {seconds['evaluation']:.1f}")
        estimate, last = math.inf, state.last_step()
        if math.isfinite(last):
            rest = max(0, int(last) - max(done, settled.warm_start))
            estimate = warm * seconds["warm start"] + rest * seconds["adversarial"]
            if held_out is not None and settled.evaluate_every:
                evaluations = math.ceil((warm + rest) / settled.evaluate_every)
                estimate += evaluations * seconds["evaluation"]
            lines.append(f"steps: {warm} warm start, {rest} adversarial")
        if settled.minutes is not None:
            estimate = min(estimate, settled.minutes * 60)
        lines.append(f"estimated time: {duration(estimate)}")
        lines += plan.notes
        lines += filter(None, [dataset.size_warning, enough.warning(len(dataset))])
    return "\n".join(lines)


def _seconds_per_step(
    state: RunState, dataset: Dataset, held_out: HeldOut | None
) -> dict[str, float]:
    """The time of the second of two steps of each stage (the first one allocates)."""
    settings, trainer = state.settings, state.trainer
    batch, warm_batch = settings.batch, settings.warm_start_batch
    x = next(dataset.batches(max(batch, warm_batch), seed=settings.seed))
    z = np.random.default_rng(0).standard_normal((len(x), LATENT_SIZE)).astype(np.float32)
    seconds = {
        "adversarial": _time_of_second(lambda: trainer.step(x[:batch], z[:batch])),
        "warm start": _time_of_second(
            lambda: trainer.reconstruct(z[:warm_batch], x[:warm_batch], 1e-6)
        ),
    }
    if held_out is not None:
        few = min(held_out.samples, TIMED_SAMPLES)
        time_of_few = _time_of_second(lambda: held_out.measure(trainer.sample, samples=few))
        seconds["evaluation"] = time_of_few * held_out.samples / few
    return seconds


def _time_of_second(step: Callable[[], object]) -> float:
    step()
    began = time.monotonic()
    step()
    return time.monotonic() - began
