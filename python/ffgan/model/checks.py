# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model can draw: its parameters are in range, and one face and its score are sane.

A file of finite nonsense, such as a negative variance, would otherwise give black faces and scores
that are no numbers, without a word.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ffgan import _core
from ffgan.errors import ModelError
from ffgan.latent import noise
from ffgan.typing import Float32

PROBE_SEED = 0


def check_parameters(parameters: Mapping[str, Float32], called: str) -> None:
    """Raise `ModelError` for a parameter that is not finite, or a variance below 0."""
    for name, array in parameters.items():
        if not np.isfinite(array).all():
            raise ModelError(f"{called}: the parameter '{name}' is not finite")
        if name.endswith("running_var") and (array < 0).any():
            raise ModelError(
                f"{called} is damaged: '{name}', a variance, is negative; take another copy"
            )


def check_probe(
    generator: _core.Generator, discriminator: _core.Discriminator, called: str
) -> None:
    """Draw and score one face; raise `ModelError` where either is nonsense."""
    (pixels,) = generator.generate_float(noise(PROBE_SEED)[None])
    if not np.isfinite(pixels).all():
        raise ModelError(
            f"{called} is damaged: pixels of its faces are no numbers; take another copy"
        )
    if not np.ptp(pixels, axis=(1, 2)).any():
        raise ModelError(f"{called} is damaged: its faces are of one colour; take another copy")
    image = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    if not np.isfinite(discriminator.score(np.ascontiguousarray(image[None]))).all():
        raise ModelError(f"{called} is damaged: its scores are no numbers; take another copy")
