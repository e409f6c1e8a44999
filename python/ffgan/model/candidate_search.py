# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate search of the original, one draw at a time.

Whoever runs it decides when a draw is rendered and judged, and together with what else:
`Model.face` does so at once, the web server with the draws of other requests in one batch. A seed
finds the same face either way.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from ffgan.errors import UsageError
from ffgan.latent import check_seed, stream, truncate
from ffgan.typing import Float32, UInt8

Judged: TypeAlias = tuple[UInt8, float]
"""An image (162, 162, 3) uint8 RGB and the discriminator's logit for it."""

DEFAULT_TRIES = 15
MAX_TRIES = 1000


@dataclass(frozen=True, eq=False)
class Face:
    """One face and how it came about.

    ``image`` is (162, 162, 3) uint8 RGB, ``latent`` the (100,) float32 noise that the generator
    was given (truncated), ``tries`` the draws that the candidate search took, ``score`` the
    discriminator's logit: a candidate's is above the threshold.
    """

    image: UInt8
    seed: int
    latent: Float32
    tries: int
    score: float


def search(
    seed: int, *, tries: int = DEFAULT_TRIES, threshold: float = 0.0, truncation: float = 1.0
) -> Generator[Float32, Judged, Face]:
    """Yield the draws of ``seed``, latents (100,) float32, until one is good enough; return it.

    Each draw is answered, by ``send``, with its image and score. The first that scores above
    ``threshold`` is taken, after ``tries`` draws the best of them. Raises `UsageError` for a value
    out of range.
    """
    if isinstance(tries, bool) or not isinstance(tries, int) or not 1 <= tries <= MAX_TRIES:
        raise UsageError(f"tries is {tries!r}: give a whole number from 1 to {MAX_TRIES}")
    if math.isnan(threshold):
        raise UsageError("threshold is not a number")
    seed = check_seed(seed)
    best: Face | None = None
    for attempt, draw in enumerate(stream(seed), start=1):
        latent = truncate(draw, truncation)
        image, score = yield latent
        if best is None or score > best.score:
            best = Face(image, seed, latent, attempt, score)
        if score > threshold or attempt == tries:
            return Face(best.image, seed, best.latent, attempt, best.score)
    raise AssertionError("a seed's stream has no end")
