# SPDX-License-Identifier: GPL-3.0-or-later
"""A training run from its start to its end: what it opens, its loop, and its end."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ffgan.errors import DisplayError
from ffgan.interruption import Interruption
from ffgan.locations import GivenPlace
from ffgan.progress import ShowProgress, show_nothing
from ffgan.ranks import of_launcher
from ffgan.training import enough
from ffgan.training.clock import Clock
from ffgan.training.loop import Loop
from ffgan.training.opening import check_same, early_end, open_dataset, open_held_out, share_cache
from ffgan.training.plan import resolve
from ffgan.training.telling import Silent, Teller, ended_alone
from ffgan.training.validation import HeldOut


def train(directory: GivenPlace, *, progress: ShowProgress = show_nothing, **settings: Any) -> Path:
    """Train on the images below ``directory``; the same as `python -m ffgan train`.

    The keyword arguments are fields of `Settings`. A resumed run keeps its own settings for
    those not given. ``progress`` is called after every step, and may raise to stop; the steps done
    are saved first. An OSError of it, such as that of a pipe without a reader, does not end the
    run. What happens on the way is logged to ``ffgan.training``. Returns the path of the run
    folder's model.safetensors. Processes that mpiexec has started train one run together
    (docs/distributed.md); the first one alone writes, logs and calls ``progress``.

    Raises UsageError and DatasetError for bad input, ModelError when the model to start from is not
    one, UnavailableError when images cannot be read any more, CheckpointError when the run folder
    cannot be read or written, DivergedError when training fails twice, Interrupted after a signal
    that asks it to end. Whatever is raised after the first step, the steps done are saved first if
    the run folder can be written.
    """
    ranks = of_launcher()
    with ExitStack() as stack:
        stack.enter_context(ranks.ending_together(partial(ended_alone, ranks.number)))
        plan = ranks.each(lambda: resolve(directory, settings))
        interruption = stack.enter_context(Interruption("finishing this step, then saving"))
        stack.enter_context(early_end(interruption))
        ranks.received = lambda: interruption.received
        clock = stack.enter_context(Clock())
        dataset = ranks.each(lambda: open_dataset(plan, cache=plan.settings.cache, ranks=ranks))
        stack.enter_context(dataset)
        dataset.availability.interrupted = lambda: interruption.received is not None
        ranks.each(lambda: enough.check(plan, len(dataset)))
        check_same(ranks, plan, dataset)
        share_cache(ranks, plan, dataset)
        tell = Teller(progress) if ranks.is_first else Silent()
        window: Any = None
        held_out: HeldOut | None = None

        def open_first() -> None:
            nonlocal window, held_out
            if plan.settings.window:
                from ffgan.viewer import Window

                try:
                    window = stack.enter_context(Window("ffgan: training"))
                except DisplayError as error:
                    raise DisplayError(f"{error}; --no-window trains without one") from error
            held_out = open_held_out(plan, interruption, tell.show)
            stack.enter_context(plan.folder.locked())
            plan.check_unchanged()

        ranks.first(open_first)
        loop = ranks.each(
            lambda: Loop(plan, dataset, tell, interruption, window, held_out, clock, ranks)
        )
        loop.start()
        loop.run()
        loop.finish()
    return plan.folder.model
