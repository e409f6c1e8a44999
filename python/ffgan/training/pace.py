# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a run, and the means of its measures from one line of train.jsonl to the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ffgan.progress import Progress
from ffgan.ranks import Ranks
from ffgan.training.run_state import RunState


class Interval:
    """The sums between two lines of train.jsonl."""

    def __init__(self, began: float, reducing: float, sent: int) -> None:
        self.began = began
        self.reducing = reducing
        self.sent = sent
        self.waited = 0.0
        self.steps = 0
        self.images = 0
        self._sums: dict[str, float] = {}

    def add(self, images: int, measures: Mapping[str, float]) -> None:
        """Count a step."""
        if measures.keys() != self._sums.keys():
            # The stage has changed: the other one's measures do not mix with these.
            self._sums = dict.fromkeys(measures, 0.0)
            self.steps = 0
        self.steps += 1
        self.images += images
        for name, value in measures.items():
            self._sums[name] += value

    def means(self) -> dict[str, float]:
        """The means of the measures."""
        return {name: round(value / self.steps, 6) for name, value in self._sums.items()}


class Pace:
    """Seconds of training over all parts of a run, and the speed since the last line.

    ``now`` is the time by `Clock.now`.
    """

    def __init__(self, now: Callable[[], float], ranks: Ranks) -> None:
        self._now = now
        self._ranks = ranks
        self.restart(0.0)

    def restart(self, seconds: float) -> None:
        """Count on from so many seconds of training."""
        self._before = seconds
        self._began = self._now()
        self.interval = self._interval(self._began)

    def seconds(self) -> float:
        """Seconds of training so far."""
        return self._before + self._now() - self._began

    def pause(self, seconds: float) -> None:
        """Leave out of the speed what was no training."""
        self.interval.began += seconds

    def line(self) -> dict[str, float] | None:
        """The measures and the speed since the last call, None if there was no step."""
        interval = self.interval
        if not interval.steps:
            return None
        now = self._now()
        passed = max(now - interval.began, 1e-9)
        shared = {} if self._ranks.alone else self._shared(passed)
        self.interval = self._interval(now)
        return {
            **interval.means(),
            "images_per_second": round(interval.images / passed, 3),
            "waiting": round(interval.waited / passed, 5),
            **shared,
        }

    def _shared(self, passed: float) -> dict[str, float]:
        """What ranks add to a line."""
        sent = (self._ranks.sent - self.interval.sent) / self.interval.steps
        return {
            "ranks": self._ranks.count,
            "reducing": self._reducing(passed),
            "sent_bytes": round(sent),
        }

    def _interval(self, now: float) -> Interval:
        return Interval(now, self._ranks.reducing, self._ranks.sent)

    def _reducing(self, passed: float) -> float:
        """The share of the time in which the ranks put their results together."""
        return round((self._ranks.reducing - self.interval.reducing) / passed, 5)

    def progress(
        self, state: RunState, measures: Mapping[str, float], *, notable: bool
    ) -> Progress:
        """Count a step, and say how far the run is."""
        self.interval.add(state.last_batch, measures)
        passed = max(self._now() - self.interval.began, 1e-9)
        rate = self.interval.images / passed
        step, last, minutes = state.position.step, state.last_step(), state.settings.minutes
        fractions, left = [], [math.inf]
        if math.isfinite(last):
            fractions.append(step / last)
            left.append((last - step) * state.last_batch / max(rate, 1e-9))
        if minutes is not None:
            fractions.append(self.seconds() / (minutes * 60))
            left.append(minutes * 60 - self.seconds())
        return Progress(
            state.stage,
            step,
            int(last) if math.isfinite(last) else None,
            fraction=min(1.0, max(fractions)),
            images_per_second=rate,
            ranks=self._ranks.count,
            reducing=self._reducing(passed),
            seconds_left=min(left),
            measures=measures,
            notable=notable,
        )
