# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of settings that were found good together: docs/training.md tells how each was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# One adversary on pixels, from a warm start, with what was found to help it.
_WARM: dict[str, Any] = {
    "batch": 16,
    "learning_rate_g": 5e-4,
    "learning_rate_d": 1e-3,
    "beta2": 0.99,
    "loss": "relativistic",
    "discriminator_norm": "fixed",
    "gradient_penalty": 0.005,
    "adversarial_weight": 0.5,
    "smooth_upsampling": 1.0,
    "chroma_weight": 12.0,
    "grid_weight": 20.0,
    "dropout": 0.0,
    "ema": 0.998,
    "augment": "translation",
    "translation": 8,
    "flip": True,
    "warm_start": 600,
    "discriminator_warmup": 60,
    "anchor_weight": 40.0,
    "anchor_share": 0.1875,
    "anchor_skip": 2,
}

# Two more, which see images through networks that know faces and pictures: they need the extras
# `faces` and `imagenet`.
_PROJECTED: dict[str, Any] = {
    **_WARM,
    "projected_weight": 2.0,
    "projected_penalty": 0.02,
    "imagenet_weight": 3.0,
    "identity_weight": 100.0,
    "matching_weight": 40.0,
    "perceptual_weight": 40.0,
    "identity_codes": 30,
}

# What each sets of `Settings`; what it does not name has the default there, which is the
# original's.
RECIPES: dict[str, dict[str, Any]] = {"original": {}, "warm": _WARM, "projected": _PROJECTED}

# What has a meaning only after a warm start: without one it is left out of a recipe.
OF_THE_WARM_START = (
    "warm_start",
    "warm_start_batch",
    "anchor_weight",
    "anchor_share",
    "anchor_skip",
    "perceptual_weight",
    "identity_codes",
)


def complete(name: str, given: Mapping[str, Any], *, from_scratch: bool) -> dict[str, Any]:
    """The settings of the recipe `name` (of `RECIPES`), and over them those that were given."""
    settings = dict(RECIPES[name])
    if not from_scratch or given.get("warm_start") == 0:
        for setting in OF_THE_WARM_START:
            settings.pop(setting, None)
    return {**settings, **given, "recipe": name}
