#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run's discriminators have learnt its training images by heart.

    python tools/held_out_losses.py runs/NAME DIR HELDOUT

The run's newest checkpoint judges batches of training images and of held-out images beside the
same fakes, and learns nothing. If it knew its own images, it would tell those better: more images
would help then, or augmentation.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from ffgan.dataset import Dataset
from ffgan.errors import Error
from ffgan.latent import LATENT_SIZE
from ffgan.model import by_network
from ffgan.training import make_trainer
from ffgan.training.plan import resolve

# Adam's steps are about as long as its rate, and these vanish beside any parameter.
STANDING_STILL = 1e-30

MEASURES = {
    "loss_d": "pixels, loss",
    "accuracy_real": "pixels, right",
    "projected_loss": "faces, loss",
    "projected_accuracy": "faces, right",
    "imagenet_loss": "pictures, loss",
    "imagenet_accuracy": "pictures, right",
}


def measure(
    run: Path, training: Path, held_out: Path, *, batches: int, seed: int
) -> dict[str, np.ndarray]:
    """Each measure of each batch, (batches, 2): with training images, with held-out ones."""
    plan = resolve(training, {"runs": run.parent, "name": run.name, "init": "resume"})
    assert plan.checkpoint is not None  # or resolve would have said so
    state = by_network(plan.checkpoint.tensors)["trainer"]
    batch = plan.settings.batch
    trainer = make_trainer(plan.settings)
    trainer.set_learning_rates(STANDING_STILL, STANDING_STILL)
    values = defaultdict(list)
    random = np.random.default_rng(seed)
    with Dataset(training) as ours, Dataset(held_out) as others:
        for _ in range(batches):
            z = random.standard_normal((batch, LATENT_SIZE)).astype(np.float32)
            for dataset in (ours, others):
                chosen = random.integers(len(dataset), size=batch)
                x = np.stack([dataset.image(int(index)) for index in chosen])
                trainer.load_state(state)  # and with it the draws of dropout and augmentation
                result = trainer.step(x, z, update_generator=False)
                for name, value in result.items():
                    if name in MEASURES:
                        values[name].append(value)
    return {name: np.reshape(column, (-1, 2)) for name, column in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("training", type=Path, help="the folder that it was trained on")
    parser.add_argument("held_out", type=Path, help="another one")
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        measured = measure(
            given.run, given.training, given.held_out, batches=given.batches, seed=given.seed
        )
    except Error as error:
        sys.exit(f"error: {error}")
    print("                   training   held out   difference")
    for name, columns in measured.items():
        difference = columns[:, 1] - columns[:, 0]
        error = difference.std(ddof=1) / math.sqrt(len(difference))
        ours, others = columns.mean(axis=0)
        print(
            f"{MEASURES[name]:18} {ours:8.3f}   {others:8.3f}   "
            f"{difference.mean():+.3f} (standard error {error:.3f})"
        )


if __name__ == "__main__":
    main()
