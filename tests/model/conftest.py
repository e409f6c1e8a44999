# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that these tests share."""

from __future__ import annotations

import numpy as np
import pytest
from support.batches import random_latents

from ffgan import _core
from ffgan.latent import noise
from ffgan.model import Model, save_model


@pytest.fixture(scope="session")
def moved_model() -> Model:
    """A model a few steps away from its start, so that no norm or bias is at its default."""
    trainer = _core.Trainer(seed=5)
    real = np.random.default_rng(0).integers(0, 256, (4, 162, 162, 3), dtype=np.uint8)
    for k in range(2):
        trainer.step(real, random_latents(4, k))
    trainer.estimate_statistics(random_latents(8, 9))
    return Model(
        trainer.parameters("averaged"),
        trainer.parameters("discriminator"),
        {"discriminator": "program", "dropout": "0.4"},
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small made-up model whose scores lie on both sides of 0."""
    trainer = _core.Trainer(seed=11)
    trainer.estimate_statistics(np.stack([noise(i) for i in range(8)]))
    path = tmp_path_factory.mktemp("model") / "made-up.safetensors"
    discriminator = trainer.parameters("discriminator")
    save_model(path, trainer.parameters("averaged"), discriminator, {"dropout": "0.25"})
    scores = Model.load(path).score(Model.load(path).render(np.stack([noise(i) for i in range(9)])))
    discriminator["fc.bias"] -= np.median(scores)
    save_model(path, trainer.parameters("averaged"), discriminator, {"dropout": "0.25"})
    return Model.load(path)
