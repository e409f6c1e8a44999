# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the images of a data set come, epoch for epoch."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from ffgan.typing import Float64


class Order:
    """An endless order of ``count`` images, by the seed alone.

    Epoch e is that of default_rng((seed, e)).permutation(count). With ``weights`` (count,), of
    which at least one is above 0, an image comes in proportion to its weight: in an epoch, which
    stays as long, count * weight / sum of weights times, rounded down or up by chance (systematic
    sampling, Madow 1944).
    """

    def __init__(self, count: int, seed: int, weights: Float64 | None = None) -> None:
        self._count = count
        self.seed = seed
        # Of the largest: the sum of the smallest numbers has no reciprocal.
        self._weights = None if weights is None else weights / weights.max()
        self._epochs: dict[int, NDArray[np.uint32]] = {}
        self._lock = threading.Lock()

    def index(self, position: int) -> int:
        """The image at a position, 0 or more."""
        epoch, offset = divmod(position, self._count)
        with self._lock:
            order = self._epochs.get(epoch)
            if order is None:
                order = self._epoch(epoch)
                # Batches that are decoded ahead may lie in the next epoch already.
                while len(self._epochs) >= 3:
                    del self._epochs[next(iter(self._epochs))]
                self._epochs[epoch] = order
        return int(order[offset])

    def _epoch(self, epoch: int) -> NDArray[np.uint32]:
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(self._count).astype(np.uint32)
        if self._weights is None:
            return order
        sums = np.cumsum(self._weights[order])
        ends = np.floor(sums * (self._count / sums[-1]) + random.random())
        ends[-1] = self._count  # whatever rounding made of it
        times = np.diff(ends, prepend=0).astype(np.intp)
        return random.permutation(np.repeat(order, times))
