# SPDX-License-Identifier: GPL-3.0-or-later
"""How training shows itself: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as in 1:02:03."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def describe(measures: Mapping[str, float]) -> str:
    """The measures of a step on part of a line, about 50 characters."""
    if "loss" in measures:
        return f"loss {measures['loss']:.4f}"
    return (
        f"loss D {measures['loss_d']:.3f} G {measures['loss_g']:.3f} · "
        f"right on real {measures['accuracy_real']:.2f} fake {measures['accuracy_fake']:.2f}"
    )


class Progress:
    """A bar over the fraction done, from 0 to 1, and lines above it, all on the standard error."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            try:
                from rich import console, progress
            except ImportError:
                return self
            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=None),
                progress.TextColumn("{task.fields[state]}"),
                console=console.Console(stderr=True),
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
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def update(
        self, fraction: float | None, description: str, pace: str, measures: str = "", *, line: bool
    ) -> None:
        """Move the bar; without a terminal, print a line where `line` asks for one.

        Without a `fraction` the bar stays where it is.
        `pace` and `measures` stand one above the other, so that all fits into 80 columns.
        """
        if self._bar is not None:
            state = f"{pace}\n{measures}" if measures else pace
            self._bar.update(self._task, completed=fraction, description=description, state=state)
        elif line:
            self.say(" · ".join(part for part in (description, pace, measures) if part))
