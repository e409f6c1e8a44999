# SPDX-License-Identifier: GPL-3.0-or-later
"""Random latents and images, as the trainer takes them."""

from __future__ import annotations

import numpy as np

from ffgan.typing import RGB, Float32


def random_latents(n: int, seed: int = 0) -> Float32:
    return np.random.default_rng(seed).standard_normal((n, 100)).astype(np.float32)


def random_images(n: int, seed: int = 0) -> RGB:
    return np.random.default_rng(seed).integers(0, 256, (n, 162, 162, 3), dtype=np.uint8)
