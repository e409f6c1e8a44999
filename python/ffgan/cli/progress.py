# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress bars on a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from ffgan.cli.output import notice
from ffgan.typing import ProgressCallback


@contextlib.contextmanager
def progress_bars(*, line_every: float | None = None) -> Iterator[ProgressCallback]:
    """A function that shows what is done how far, in a bar for each on a terminal.

    Elsewhere it prints a line after ``line_every`` seconds, or nothing.
    """
    if not sys.stderr.isatty():
        yield _lines(line_every)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield update


def _lines(every: float | None) -> ProgressCallback:
    if every is None:
        return lambda what, done, total: None
    last = time.monotonic()

    def update(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            notice(f"{what}: {done:,} of {total:,}")

    return update
