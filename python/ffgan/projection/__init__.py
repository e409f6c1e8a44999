# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photograph to the latent whose face is nearest to it, and latents in files.

Examples:
    >>> import numpy as np
    >>> from ffgan import Model, projection
    >>> model = Model.load()
    >>> face = model.face(seed=7)
    >>> projection.save_latent("/tmp/face.json", face.latent, model)
    >>> np.array_equal(projection.load_latent("/tmp/face.json"), face.latent)
    True
"""

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
