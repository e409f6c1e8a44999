# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that the processes of `mpiexec` do together: the first one shows and prints."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NoReturn

from ffgan.cli.output import notice
from ffgan.cli.progress import progress_bars
from ffgan.cli.termination import explain_stop
from ffgan.errors import UsageError
from ffgan.ranks import Ranks, is_met, launched, of_launcher
from ffgan.typing import ProgressCallback


@contextlib.contextmanager
def together() -> Iterator[tuple[Ranks, ProgressCallback]]:
    """The processes that a launcher has started, or this one alone, and what shows progress.

    Whatever ends one of them within it ends all: see `Ranks.ending_together`.
    """
    ranks = of_launcher()

    def ended_alone(error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            text, _ = explain_stop(error)
        else:
            text = f"error: {' '.join((str(error) or type(error).__name__).split())}"
        notice(f"rank {ranks.number}: {text}; all ranks end")

    with ranks.ending_together(ended_alone):
        if not ranks.is_first:
            yield ranks, lambda what, done, total: None
            return
        with progress_bars() as progress:
            yield ranks, progress


def met_by_all(error: UsageError) -> BaseException:
    """What ends this process where its command line is wrong: the first one says what and whose."""
    if is_met(error) or launched() == (0, 1):
        return error

    def fail() -> NoReturn:
        raise error

    try:
        ranks = of_launcher()
        with ranks.ending_together(lambda error: None):
            ranks.each(fail)
    except BaseException as known:
        return known
    return error
