# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photograph to the latent whose face is nearest to it, and latents in files."""

from __future__ import annotations

from ffgan.projection.latent_file import latent_text, load_latent, save_latent
from ffgan.projection.projection import (
    DEFAULT_STEPS,
    MAX_STEPS,
    WEIGHTS,
    Distances,
    Projection,
    project,
)

__all__ = [
    "DEFAULT_STEPS",
    "MAX_STEPS",
    "WEIGHTS",
    "Distances",
    "Projection",
    "latent_text",
    "load_latent",
    "project",
    "save_latent",
]
