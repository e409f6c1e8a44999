# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a model that copies: proof that `ffgan audit` finds one.

The generator of the packaged model memorises images: each of a few images gets a place in the
noise, and the generator is taught to answer any noise with the image whose place is the nearest. So
the faces that it draws become those images, as if training had gone wrong in the worst way. The
places are the images' first principal components, so that neighbours look alike: that is learnt
first. With many images it takes long; stopped early, the faces are blends of neighbours.

    python tools/overfit.py DIR copier.safetensors --images 16
    python -m ffgan audit --model copier.safetensors --train DIR --heldout OTHER

The images are the first ones of DIR by name; the audit may be given all of DIR.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import ffgan
from ffgan import _core
from ffgan.dataset import Dataset
from ffgan.latent import LATENT_SIZE
from ffgan.model import by_network, save_model
from ffgan.training import warm_start

DIMENSIONS = 3
STATISTICS_LATENTS = 256
REPORT_EVERY = 50


def overfit(
    images: np.ndarray, *, steps: int, batch: int, seed: int
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Make a model memorise images (n, 162, 162, 3) uint8; returns its generator and the losses."""
    trainer = _core.Trainer(discriminator="program", seed=seed, ema=0.99)
    packaged = by_network(ffgan.load().parameters)["generator"]
    for network in ("generator", "averaged"):
        trainer.set_parameters(network, packaged)
    random = np.random.default_rng(seed)
    pixels = warm_start.reduce(images)
    left = np.linalg.svd(pixels - pixels.mean(axis=0), full_matrices=False)[0]
    places = np.sqrt(len(images)) * left[:, :DIMENSIONS]  # of variance 1, as the noise is
    losses = []
    for step in range(steps):
        noise = random.standard_normal((batch, LATENT_SIZE)).astype(np.float32)
        distances = np.linalg.norm(noise[:, None, :DIMENSIONS] - places, axis=2)
        mine = images[distances.argmin(axis=1)]
        losses.append(trainer.reconstruct(noise, mine, warm_start.learning_rate(step, steps)))
        if (step + 1) % REPORT_EVERY == 0:
            mean = np.mean(losses[-REPORT_EVERY:])
            print(f"step {step + 1}/{steps}: loss {mean:.4f}", file=sys.stderr, flush=True)
    latents = random.standard_normal((STATISTICS_LATENTS, LATENT_SIZE)).astype(np.float32)
    trainer.estimate_statistics(latents)
    return trainer.parameters("averaged"), losses


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a model that copies its training images.")
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.add_argument("model", metavar="OUT.safetensors", type=Path)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with Dataset(arguments.directory) as dataset:
        count = min(arguments.images, len(dataset))
        images = np.stack([dataset.image(index) for index in range(count)])
    generator, _ = overfit(
        images, steps=arguments.steps, batch=arguments.batch, seed=arguments.seed
    )
    discriminator = by_network(ffgan.load().parameters)["discriminator"]
    save_model(
        arguments.model,
        generator,
        discriminator,
        {"data": f"{count} images learnt by heart, on purpose", "threshold": "0.0"},
    )
    print(f"model: {arguments.model}")


if __name__ == "__main__":
    main()
