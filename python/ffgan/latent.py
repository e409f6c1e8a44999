# SPDX-License-Identifier: GPL-3.0-or-later
"""From seeds to noise: the vectors of the latent space and the ways between them.

A seed gives the same noise on every machine: NumPy promises PCG64's stream, so face ``s`` of a
model is the same face from the command line, the API and the URL.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ffgan.errors import UsageError
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float32, Float64

__all__ = [
    "LATENT_SIZE",
    "MAX_SEED",
    "check_seed",
    "first_seed",
    "interpolate",
    "noise",
    "path",
    "random_seed",
    "stream",
    "truncate",
]

MAX_SEED = 2**64 - 1


def check_seed(seed: int) -> int:
    """Return ``seed`` as an int; raise `UsageError` unless it is in 0 .. `MAX_SEED`."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise UsageError(f"seed is {seed!r}, not a whole number: give one from 0 to {MAX_SEED}")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"seed {seed} is out of range: give one from 0 to {MAX_SEED}")
    return int(seed)


def random_seed() -> int:
    """Return a seed from the system's entropy, below 2**32 so that it stays easy to copy."""
    return secrets.randbits(32)


def first_seed(n: int, seed: int | None) -> int:
    """Return the first of n successive seeds, a random one without ``seed``.

    Raises `UsageError` for n below 1, and where the seeds would go beyond `MAX_SEED`.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise UsageError(f"the number of faces is {n!r}: give a whole number from 1 up")
    first = random_seed() if seed is None else check_seed(seed)
    if first + int(n) - 1 > MAX_SEED:
        raise UsageError(f"seed {first} is too large for {n} faces: seeds end at {MAX_SEED}")
    return first


def stream(seed: int) -> Iterator[Float32]:
    """Yield the successive draws of ``seed``, each (100,) float32 from N(0, I), without end."""
    generator = np.random.default_rng(check_seed(seed))
    while True:
        yield generator.standard_normal(LATENT_SIZE).astype(np.float32)


def noise(seed: int) -> Float32:
    """Return the first draw of ``seed``: (100,) float32 from N(0, I)."""
    return next(stream(seed))


def truncate(latents: Float32, truncation: float) -> Float32:
    """Scale latents (..., 100) towards the mean, which is 0, by ``truncation`` in 0 .. 2.

    Below 1: more typical and less varied faces; above 1: stranger ones. Raises `UsageError` for a
    value out of range.
    """
    if not 0 <= truncation <= 2:
        raise UsageError(f"truncation {truncation} is out of range: give a value from 0 to 2")
    return latents * np.float32(truncation)


def path(latents: Float32, at: NDArray[np.floating] | float) -> Float32:
    """Return the latents (m, 100) float32 at the positions ``at`` (m,) along (n, 100) ``latents``.

    Position i is latent i itself; between two, spherical interpolation (White 2016, arXiv
    1609.04468) keeps the length that N(0, I) noise has; a straight line would pass nearer to 0.
    A single position gives (100,). Raises `UsageError` for one outside 0 .. n - 1.
    """
    positions = np.asarray(at, dtype=np.float64)
    last = len(latents) - 1
    if not ((positions >= 0) & (positions <= last)).all():
        raise UsageError(f"position {at} is out of range: give values from 0 to {last}")
    begin = np.minimum(positions.astype(np.int64), max(last - 1, 0))
    end = np.minimum(begin + 1, last)
    keys = latents.astype(np.float64)
    between = _slerp(keys[begin], keys[end], (positions - begin)[..., None])
    return between.astype(np.float32)


def _slerp(a: Float64, b: Float64, t: Float64) -> Float64:
    """Spherical interpolation from a (..., 100) to b at t (..., 1) in 0 .. 1."""
    lengths = np.linalg.norm(a, axis=-1, keepdims=True) * np.linalg.norm(b, axis=-1, keepdims=True)
    cosine = (a * b).sum(axis=-1, keepdims=True) / np.maximum(lengths, 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    sine = np.sin(angle)
    straight = sine < 1e-6  # the same direction, or opposite ones: no arc is the shortest
    divisor = np.where(straight, 1.0, sine)
    of_a = np.where(straight, 1 - t, np.sin((1 - t) * angle) / divisor)
    of_b = np.where(straight, t, np.sin(t * angle) / divisor)
    result: Float64 = of_a * a + of_b * b
    return result


def interpolate(start: Float32, end: Float32, steps: int) -> Float32:
    """Return (steps, 100) float32 along the great arc from ``start`` to ``end``, both (100,).

    See `path`, which goes through more than two. Raises `UsageError` when ``steps`` is below 2.
    """
    if steps < 2:
        raise UsageError(f"steps is {steps}: an interpolation has at least 2")
    return path(np.stack([start, end]), np.linspace(0.0, 1.0, steps))
