# SPDX-License-Identifier: GPL-3.0-or-later
"""What one build computes, small enough to be kept in a file and compared with another build's.

Faces and scores are kept whole. Of gradients and parameters, which are megabytes, a count sketch is
kept (Charikar, Chen, Farach-Colton: "Finding frequent items in data streams", 2002): every value is
added, with a sign drawn for it, to one of 64 sums drawn for it. The distance of two sketches is
that of the arrays, to about a fifth.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffgan import _core
from ffgan.model import Model
from ffgan.typing import RGB, Float32
from support.batches import random_images, random_latents

Sketch = NDArray[np.float64]

FACES = 8
DISCRIMINATORS: tuple[_core.DiscriminatorName, ...] = ("program", "table")
SUMS = 64
STEPS = 3

# Each is a batch and settings of Trainer. The norm is fixed where a gradient is a difference of
# two scores, as in the recipes.
TRAININGS: dict[str, tuple[int, dict[str, Any]]] = {
    "program": (4, {"discriminator": "program"}),
    "table": (3, {"discriminator": "table"}),
    "relativistic": (
        4,
        {
            "discriminator": "program",
            "loss": "relativistic",
            "discriminator_norm": "fixed",
            "gradient_penalty": 0.005,
            "chroma_weight": 1.0,
            "grid_weight": 1.0,
        },
    ),
}


@functools.cache
def model(discriminator: str) -> Model:
    """The packaged model with this discriminator."""
    found = Model.load()
    return found if found.discriminator == discriminator else Model.load(discriminator)


def faces() -> RGB:
    return model("program").render(model("program").latents(FACES, 0))


def scores(discriminator: str, images: RGB) -> Float32:
    return model(discriminator).score(images)


@functools.lru_cache(maxsize=1)
def _drawn(size: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    random = np.random.default_rng(seed)
    places = random.integers(0, SUMS, size)
    return places, (2 * random.integers(0, 2, size, dtype=np.int8) - 1).astype(np.int8)


def sketch(name: str, values: Float32) -> Sketch:
    """(64,) of an array of any shape; equal names and sizes share the drawn places and signs."""
    flat = values.ravel().astype(np.float64)
    places, signs = _drawn(flat.size, zlib.crc32(name.encode()))
    return np.bincount(places, weights=signs * flat, minlength=SUMS)


def by_layer(tensors: Mapping[str, Float32]) -> dict[str, Float32]:
    """A layer's weights and biases together."""
    layers: dict[str, list[Float32]] = {}
    for name in sorted(tensors):
        layers.setdefault(name.rpartition(".")[0], []).append(tensors[name].ravel())
    return {layer: np.concatenate(parts) for layer, parts in layers.items()}


def _trainer(training: str, **settings: Any) -> _core.Trainer:
    given = {"seed": 3, "dropout": 0.0, **TRAININGS[training][1], **settings}
    trainer = _core.Trainer(**given)
    random = np.random.default_rng(7)
    networks: tuple[Literal["generator", "discriminator"], ...] = ("generator", "discriminator")
    for network in networks:  # norms and biases away from the ones and zeros they start at
        parameters = trainer.parameters(network)
        for array in parameters.values():
            if array.ndim == 1:
                array += random.uniform(-0.3, 0.3, array.shape).astype(np.float32)
        trainer.set_parameters(network, parameters)
    return trainer


def gradients(training: str) -> dict[str, Sketch]:
    """Of the first step, of each layer of both networks, with what the step measured."""
    batch = TRAININGS[training][0]
    tiny = {"learning_rate_g": 1e-12, "learning_rate_d": 1e-12}
    images, latents = random_images(batch), random_latents(batch)
    of_g, of_d = _trainer(training, **tiny), _trainer(training, **tiny)
    measured = of_g.step(images, latents)
    of_d.step(images, latents, update_generator=False)  # G's pass leaves gradients in D too
    found = {f"measured {name}": np.array([value]) for name, value in measured.items()}
    for letter, tensors in (
        ("g", of_g.gradients("generator")),
        ("d", of_d.gradients("discriminator")),
    ):
        for layer, values in by_layer(tensors).items():
            found[f"{letter} {layer}"] = sketch(f"{training} {letter} {layer}", values)
    return found


def moved(training: str) -> dict[str, Sketch]:
    """By how much each layer's parameters and running statistics moved in `STEPS` steps."""
    batch = TRAININGS[training][0]
    trainer = _trainer(training)
    networks: tuple[Literal["generator", "discriminator"], ...] = ("generator", "discriminator")
    before = {network: by_layer(trainer.parameters(network)) for network in networks}
    for step in range(STEPS):
        trainer.step(random_images(batch, step), random_latents(batch, step))
    found = {}
    for network in networks:
        for layer, values in by_layer(trainer.parameters(network)).items():
            change = values - before[network][layer]
            found[f"{network} {layer}"] = sketch(f"{training} {network} {layer}", change)
    return found


def relative_error(ours: Sketch, theirs: Sketch) -> float:
    return float(np.linalg.norm(ours - theirs) / max(float(np.linalg.norm(theirs)), 1e-9))
