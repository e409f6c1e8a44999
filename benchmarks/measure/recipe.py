# SPDX-License-Identifier: GPL-3.0-or-later
"""The training step of recipe `projected`: its settings, and the trainer that makes it."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "projected"
ANCHORED = 3
"""The images of a batch of 16 whose own latents G is given."""

NOT_RANDOM: dict[str, Any] = {"gradient_penalty": 0.0, "projected_penalty": 0.0, "translation": 0}
"""Settings without which a step has nothing random that two engines would draw differently."""

# A learning rate that leaves float32 parameters as they are.
FROZEN = {"learning_rate_g": 1e-30, "learning_rate_d": 1e-30}

MEASURES = (
    "loss_d",
    "loss_g",
    "projected_loss",
    "imagenet_loss",
    "identity_distance",
    "matching_distance",
    "perceptual",
)


def recipe(name: str = NAME) -> dict[str, Any]:
    """The settings in a recipe's file and in those that it builds upon."""
    package = util.find_spec("ffgan")
    assert package is not None and package.origin is not None
    file = Path(package.origin).parent / "training" / "recipes" / f"{name}.toml"
    own = tomllib.loads(file.read_text("utf-8"))
    base = own.pop("recipe", None)
    return {**(recipe(base) if base else {}), **own}


def trainer(changes: dict[str, Any]) -> Any:
    """ffgan's trainer with the recipe's settings but for `changes`."""
    from ffgan.training.settings import Settings
    from ffgan.training.trainer import make_trainer

    settings = recipe() | changes
    if settings["translation"] == 0:
        settings |= {"augment": "none", "translation": 8}
    return make_trainer(Settings(**settings))
