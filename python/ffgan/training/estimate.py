# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would do, and how long it would take, without doing it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffgan.dataset import Dataset
from ffgan.latent import LATENT_SIZE
from ffgan.locations import GivenPlace
from ffgan.progress import ShowProgress, duration, show_nothing
from ffgan.ranks import Ranks, of_launcher
from ffgan.training import enough
from ffgan.training.opening import check_same, open_dataset, open_held_out
from ffgan.training.plan import Plan, resolve
from ffgan.training.run_state import RunState
from ffgan.training.telling import ended_alone
from ffgan.training.validation import HeldOut

Number = TypeVar("Number", bound=np.generic)

# Of the measurement that tells how long an evaluation takes.
TIMED_SAMPLES = 32


def dry_run(
    directory: GivenPlace, *, progress: ShowProgress = show_nothing, **settings: Any
) -> str:
    """What `train` would do with these settings, and how long it would take.

    The time is measured on two real steps of each stage, by all processes that would train;
    nothing is written. Raises what `train` raises.
    """
    ranks = of_launcher()
    with ExitStack() as stack:
        stack.enter_context(ranks.ending_together(partial(ended_alone, ranks.number)))
        plan = ranks.each(lambda: resolve(directory, settings))
        # Without the cache, which would be written.
        dataset = stack.enter_context(ranks.each(lambda: open_dataset(plan, cache=None)))
        ranks.each(lambda: enough.check(plan, len(dataset)))
        check_same(ranks, plan, dataset)
        held_out: HeldOut | None = None

        def open_first() -> None:
            nonlocal held_out
            held_out = open_held_out(plan, progress=progress)

        ranks.first(open_first)
        state = ranks.each(lambda: _opened(plan, dataset, ranks))
        seconds = _seconds_per_step(state, dataset, held_out, ranks)
    return "\n".join(_lines(plan, dataset, held_out, state, seconds, ranks))


def _opened(plan: Plan, dataset: Dataset, ranks: Ranks) -> RunState:
    state = RunState(plan, dataset, ranks)
    if plan.checkpoint is not None:
        state.check_data(plan.checkpoint)
    elif plan.init != "scratch" and (note := state.load_model()):
        plan.notes.append(note)
    return state


def _lines(
    plan: Plan,
    dataset: Dataset,
    held_out: HeldOut | None,
    state: RunState,
    seconds: dict[str, float],
    ranks: Ranks,
) -> list[str]:
    """What is told of the run."""
    settled = plan.settings
    lines = [
        f"{about.flag.removeprefix('--')}: {getattr(settled, name)}"
        for name, about in settled.about().items()
    ]
    lines.append(f"images: {len(dataset)} in {plan.directory}")
    lines.append(f"run folder: {plan.folder.path}")
    lines.append(f"starts from: {plan.origin}")
    if not ranks.alone:
        lines.append(f"processes: {ranks.count}")
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
    return lines


def _seconds_per_step(
    state: RunState, dataset: Dataset, held_out: HeldOut | None, ranks: Ranks
) -> dict[str, float]:
    """The time of the second of two steps of each stage (the first one allocates)."""
    settings, trainer = state.settings, state.trainer
    batch, warm_batch = settings.batch, settings.warm_start_batch
    x = next(dataset.batches(max(batch, warm_batch), seed=settings.seed))
    z = np.random.default_rng(0).standard_normal((len(x), LATENT_SIZE)).astype(np.float32)

    def own(whole: NDArray[Number], count: int) -> NDArray[Number]:
        return np.ascontiguousarray(ranks.own(whole[:count]))

    step = partial(trainer.step, own(x, batch), own(z, batch), whole=batch)
    reconstruct = partial(
        trainer.reconstruct, own(z, warm_batch), own(x, warm_batch), 1e-6, whole=warm_batch
    )
    seconds = {
        "adversarial": _time_of_second(step),
        "warm start": _time_of_second(reconstruct),
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
