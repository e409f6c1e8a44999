# SPDX-License-Identifier: GPL-3.0-or-later
"""What losses remember from step to step is part of the training state."""

from __future__ import annotations

from typing import Any

import pytest
from support.batches import random_images, random_latents

from ffgan import _core


@pytest.mark.parametrize("name", ["border", "spectrum"])
@pytest.mark.parametrize("steps", [1, 2])
def test_what_a_loss_remembers_is_part_of_the_state(name: str, steps: int) -> None:
    def trainer() -> _core.Trainer:
        weight: dict[str, Any] = {f"{name}_weight": 1.0}
        return _core.Trainer(seed=2, adversarial_weight=0.0, **weight)

    through, resumed, anew = trainer(), trainer(), trainer()
    for k in range(steps):
        through.step(random_images(2, k), random_latents(2, k))
    state = through.state()
    resumed.load_state(state)
    remembered = {tensor for tensor in state if name in tensor}
    anew.load_state({tensor: state[tensor] for tensor in state if tensor not in remembered})
    measured = [
        one.step(random_images(2, steps), random_latents(2, steps))[f"{name}_distance"]
        for one in (through, resumed, anew)
    ]
    assert len(remembered) == 2 and measured[0] == measured[1] != measured[2]
    last = sorted(remembered)[0]
    with pytest.raises(ValueError, match=last):
        anew.load_state({tensor: state[tensor] for tensor in state if tensor != last})
