# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's trainer, made from settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from ffgan import _core, faces, features
from ffgan.latent import LATENT_SIZE
from ffgan.ranks import Ranks
from ffgan.training.settings import Settings
from ffgan.typing import Float32

STATISTICS_LATENTS = 256

# First entry of the seed of these latents (1: inputs.py; 3 to 5: warm_start.py, identity_codes.py).
STATISTICS_STREAM = 2


def make_trainer(settings: Settings, ranks: Ranks | None = None) -> _core.Trainer:
    """The engine's trainer of these settings, before its first step, whose steps ``ranks`` share.

    Raises ExtraError when a discriminator's frozen network is not installed.
    """
    if settings.threads is not None:
        _core.set_threads(settings.threads)
    chosen = settings.augmentations
    given: dict[str, Any] = {
        name: getattr(settings, name) for name in Settings.names(home="trainer")
    }
    given["colour"] = "colour" in chosen
    given["translation"] = settings.translation if "translation" in chosen else 0
    given["cutout"] = settings.cutout if "cutout" in chosen else 0
    if settings.projected_weight > 0.0:
        given["recognition"] = str(faces.recognition_file(settings.recognition))
    if settings.imagenet_weight > 0.0:
        given["imagenet"] = features.training_network(enlarged=settings.imagenet_enlarged)
    if ranks is not None and not ranks.alone:
        given["communicator"] = ranks.for_engine
    return _core.Trainer(**given)


def statistics_latents(seed: int) -> Float32:
    """The latents (n, 100) that a run with this seed estimates batch-norm statistics over."""
    generator = np.random.default_rng((seed, STATISTICS_STREAM))
    return generator.standard_normal((STATISTICS_LATENTS, LATENT_SIZE)).astype(np.float32)
