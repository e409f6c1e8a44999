# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run has diverged, and where it continues after a return to an earlier checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ffgan.training.settings import Settings

# A discriminator that has won or given up: see `looks_collapsed`.
COLLAPSE_LOSS = 1e-4
COLLAPSE_STEPS = 500


@dataclass(frozen=True)
class Position:
    """Where a run is. With settings and images it determines every batch and latent to come.

    ``offset`` is added to the step's number to get that of its batch and latents: the draws that a
    return to an earlier checkpoint, of which ``returns`` is the number, has passed over.
    ``suspect`` counts the steps in a row that `looks_collapsed`.
    """

    step: int = 0
    offset: int = 0
    returns: int = 0
    suspect: int = 0

    @property
    def draw(self) -> int:
        """The number of the batch and of the latents of the next step."""
        return self.step + self.offset

    def after_step(self, *, suspect: bool) -> Position:
        """The position when the next step is done."""
        return Position(
            self.step + 1, self.offset, self.returns, self.suspect + 1 if suspect else 0
        )

    def after_return(self, restored: Position) -> Position:
        """The position when this one has failed in its next step and an earlier one is restored.

        Its draws continue after those that failed, or the same bytes would fail again.
        """
        passed_over = self.step + 1 - restored.step
        return Position(
            restored.step, self.offset + passed_over, self.returns + 1, restored.suspect
        )


def trouble(measures: Mapping[str, float], position: Position) -> str | None:
    """Why the run cannot continue from here, or None."""
    for name, value in measures.items():
        if not math.isfinite(value):
            return f"{name} is {value}"
    if position.suspect >= COLLAPSE_STEPS:
        return f"the discriminator has collapsed for {COLLAPSE_STEPS} steps"
    return None


def looks_collapsed(measures: Mapping[str, float], step: int, settings: Settings) -> bool:
    """Whether D does not learn any more: certain of everything, or one answer for all.

    One such step is healthy, `COLLAPSE_STEPS` of them in a row are not. The steps in which D learns
    alone do not count.
    """
    alone = step < settings.warm_start + settings.discriminator_warmup
    if alone or "loss_d" not in measures or settings.adversarial_weight == 0.0:
        return False
    answers = (measures["accuracy_real"], measures["accuracy_fake"])
    return measures["loss_d"] < COLLAPSE_LOSS or answers in ((1.0, 0.0), (0.0, 1.0))
