#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a model whose generator is the mean of those of several checkpoints of one run.

    python tools/average_checkpoints.py runs/NAME/model.safetensors OUT.safetensors CHECKPOINT...

The averaged generators are averaged once more, as if the average's decay had been longer; the
batch-norm statistics are estimated anew, as `train` does. The discriminator and what the file says
of its training are those of the first model, which should be of the same run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ffgan import _core
from ffgan.model import Model, by_network, save_model
from ffgan.training import statistics_latents
from ffgan.training.run_folder import read


def average(paths: list[Path]) -> tuple[dict[str, np.ndarray], list[int]]:
    """The mean of the averaged generators' parameters, and the steps that they are of."""
    checkpoints = [read(path) for path in paths]
    networks = [
        {
            name.removeprefix("averaged."): tensor
            for name, tensor in by_network(checkpoint.tensors)["trainer"].items()
            if name.startswith("averaged.")
        }
        for checkpoint in checkpoints
    ]
    mean = {
        name: np.mean([network[name] for network in networks], axis=0, dtype=np.float64)
        for name in networks[0]
    }
    return {k: v.astype(np.float32) for k, v in mean.items()}, [c.step for c in checkpoints]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model", type=Path, help="of the run: its model.safetensors")
    parser.add_argument("out", type=Path, help="the model to be written")
    parser.add_argument("checkpoints", type=Path, nargs="+", help="of the run: step-*.safetensors")
    given = parser.parse_args()
    model = Model.load(given.model)
    parameters, steps = average(given.checkpoints)
    trainer = _core.Trainer()
    trainer.set_parameters("averaged", parameters)
    seed = read(given.checkpoints[-1]).record["settings"]["seed"]
    trainer.estimate_statistics(statistics_latents(seed))
    # Not the attributes, which are fitted to another generator.
    metadata = {k: v for k, v in model.metadata.items() if k != "attributes"}
    metadata["mean_of_steps"] = ",".join(map(str, steps))
    discriminator = by_network(model.parameters)["discriminator"]
    save_model(given.out, trainer.parameters("averaged"), discriminator, metadata)
    print(f"{given.out}: the mean of steps {', '.join(map(str, steps))}")


if __name__ == "__main__":
    main()
