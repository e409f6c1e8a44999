# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate search of the original, one draw at a time.

Whoever runs it decides when a draw is rendered and judged, and together with what else:
`Model.face` does so at once, `Model.faces` with the draws of the next seeds, the web server with
those of other requests. A seed finds the same face either way.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np

from ffgan.errors import UsageError
from ffgan.latent import check_seed, stream, truncate
from ffgan.typing import Float32, UInt8

Judged: TypeAlias = tuple[UInt8, float]
"""An image (162, 162, 3) uint8 RGB and the discriminator's logit for it."""

Judge: TypeAlias = Callable[[Float32], tuple[UInt8, Float32]]
"""Makes images (n, 162, 162, 3) uint8 RGB and logits (n,) of latents (n, 100)."""

BATCH = 16
"""Draws that `searched` has judged together."""

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


class _Search:
    """The search of one seed: the latent that is to be judged next, or the face that it found."""

    def __init__(self, draws: Generator[Float32, Judged, Face]) -> None:
        self._draws = draws
        self.latent = next(draws)
        self.face: Face | None = None
        self.is_waiting = True  # for its latent to be judged

    def answer(self, image: UInt8, score: float) -> None:
        self.is_waiting = True
        try:
            self.latent = self._draws.send((image, score))
        except StopIteration as found:
            self.face, self.is_waiting = found.value, False


def searched(
    seeds: Iterator[int],
    judge: Judge,
    cores: int,
    *,
    tries: int,
    threshold: float,
    truncation: float,
) -> Iterator[Face]:
    """Yield the face of each seed, in their order; the draws of several are judged together.

    The first face comes after as few draws as it needs. Then the batches grow to `BATCH`, and as
    many as there are ``cores`` are on their way, in threads: each is then judged on one core, and
    no core waits for another. With one batch more than that they take turns on the cores, which is
    slower. Raises `UsageError` as `search` does.
    """
    most = 4 * BATCH * cores  # seeds, so that one with many draws holds up none
    working: deque[_Search] = deque()
    judging: deque[tuple[list[_Search], Future[tuple[UInt8, Float32]]]] = deque()
    size = 1

    def next_batch() -> list[_Search]:
        batch = list(islice((one for one in working if one.is_waiting), size))
        for seed in islice(seeds, min(size - len(batch), most - len(working))):
            draws = search(seed, tries=tries, threshold=threshold, truncation=truncation)
            working.append(_Search(draws))
            batch.append(working[-1])
        for one in batch:
            one.is_waiting = False
        return batch

    with ThreadPoolExecutor(cores, "draws") as pool:
        while True:
            while len(judging) < (cores if size == BATCH else 1) and (batch := next_batch()):
                latents = np.stack([one.latent for one in batch])
                judging.append((batch, pool.submit(judge, latents)))
            if not judging:
                return
            batch, judged = judging.popleft()
            for one, image, score in zip(batch, *judged.result(), strict=True):
                one.answer(image.copy(), float(score))  # else a face would hold all of its batch
            size = min(2 * size, BATCH)
            while working and (face := working[0].face) is not None:
                working.popleft()
                yield face
