# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress on the standard error: bars on a terminal, plain lines anywhere else.

A bar never hides the cursor, which a process that is stopped or killed could not show again.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from ffgan.cli.output import notice, say
from ffgan.cli.streams import in_background
from ffgan.progress import Progress, duration
from ffgan.typing import ProgressCallback


@contextlib.contextmanager
def progress_bars(*, line_every: float | None = None) -> Iterator[ProgressCallback]:
    """A function that shows what is done how far, in a bar for each on a terminal.

    Elsewhere it prints a line after ``line_every`` seconds, or nothing.
    """
    console = _console()
    if console is None:
        yield _lines(line_every)
        return
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
        console=console,
        transient=True,
    ) as bars:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield update


def _console() -> Any:
    """rich's console for a bar on the standard error, None where a bar cannot move."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    class BarConsole(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False

    console = BarConsole(file=_Foreground(sys.stderr))  # type: ignore[arg-type]
    return console if console.is_terminal and not console.is_dumb_terminal else None


class _Foreground:
    """A terminal that is written to while no other job has it: else the bar would run over that."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not in_background(self._stream):
            self._stream.write(text)
        return len(text)


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


class TrainingBar:
    """How far a training run is: a bar with two lines beside it, and the run's messages above.

    Without a terminal what is notable is printed as lines.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> TrainingBar:
        console = _console()
        if console is not None:
            from rich import progress

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=None),
                progress.TextColumn("{task.fields[state]}"),
                console=console,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task("training", total=1.0, state="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        if self._bar is None or in_background(self._bar.console.file):
            say(line)
        else:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """Move the bar; without a terminal, print a line if it is notable.

        The speed and the measures stand one above the other, so that all fits into 80 columns.
        """
        description, pace = _described(progress)
        measures = describe(progress.measures) if progress.measures else ""
        if self._bar is not None:
            state = f"{pace}\n{measures}" if measures else pace
            self._bar.update(
                self._task, completed=progress.fraction, description=description, state=state
            )
        elif progress.notable:
            self.say(" · ".join(part for part in (description, pace, measures) if part))


def describe(measures: Mapping[str, float]) -> str:
    """The measures of a step on part of a line, about 50 characters."""
    if "loss" in measures:
        return f"loss {measures['loss']:.4f}"
    return (
        f"loss D {measures['loss_d']:.3f} G {measures['loss_g']:.3f} · "
        f"right on real {measures['accuracy_real']:.2f} fake {measures['accuracy_fake']:.2f}"
    )


def _described(progress: Progress) -> tuple[str, str]:
    """What is done, and how fast or how far."""
    total = "" if progress.total is None else f"/{progress.total}"
    if progress.images_per_second is None:
        return progress.stage, f"{progress.done}{total} images"
    stage = "step" if progress.stage == "adversarial" else progress.stage
    left = "" if progress.seconds_left is None else f" · {duration(progress.seconds_left)} left"
    shared = ""
    if progress.ranks > 1:
        shared = f" · {progress.ranks} ranks, {progress.reducing:.0%} reducing"
    pace = f"{progress.images_per_second:.1f} images/s{shared}{left}"
    return f"{stage} {progress.done}{total}", pace
