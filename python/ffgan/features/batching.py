# SPDX-License-Identifier: GPL-3.0-or-later
"""Images through a feature network: resized, in parts of one size, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from ffgan import _core, images
from ffgan.typing import RGB, Float32

BATCH: Final = 8
"""Images in one call of a network, whatever the number of threads."""


def resized(batch: RGB, size: int) -> RGB:
    """Return images (n, h, w, 3) uint8 RGB as (n, size, size, 3)."""
    resized = np.empty((len(batch), size, size, 3), np.uint8)
    for place, image in enumerate(batch):
        resized[place] = images.resize(image, size)
    return resized


def in_parts(batch: RGB, size: int, run: Callable[[RGB], Float32], features: int) -> Float32:
    """Return (n, features) of images (n, h, w, 3): ``size`` in a call, calls in parallel."""
    parts = [batch[start : start + size] for start in range(0, len(batch), size)]
    with ThreadPoolExecutor(_core.engine()["threads"]) as pool:
        results = list(pool.map(run, parts))
    return np.concatenate(results) if results else np.empty((0, features), np.float32)
