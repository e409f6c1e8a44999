# SPDX-License-Identifier: GPL-3.0-or-later
"""Near-duplicates: one photograph of a face in another size, quality, or crop.

A perceptual hash (Zauner 2010) of the aligned face: the signs of the low frequencies. Aligned faces
are much alike, so the usual 64 bits mistake one person for another; 255 do not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ffgan import images
from ffgan.attributes import sharpness
from ffgan.faces.clustering import near
from ffgan.typing import RGB, Float32, Int64

HASH_BYTES: Final = 32
SAME_HASH: Final = 32
"""Hashes that differ in at most this many of their 255 bits are of one photograph."""

SAME_EMBEDDING: Final = 0.2
"""Embeddings nearer than this are of one photograph, or of two taken in one moment."""

_SIDE: Final = 32
_LOW: Final = 16


def _cosines() -> Float32:
    """The first rows of the orthonormal discrete cosine transform of `_SIDE` values."""
    frequency, place = np.arange(_LOW)[:, None], np.arange(_SIDE)[None]
    return np.asarray(np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE)), np.float32)


def perceptual_hash(face: RGB) -> bytes:
    """Return the hash of an aligned face (rows, columns, 3) uint8 RGB."""
    luma = sharpness.luma(images.resize(face, _SIDE))
    cosines = _cosines()
    low = (cosines @ luma @ cosines.T).ravel()[1:]  # without the mean brightness
    return np.packbits(low > np.median(low)).tobytes()


def same_hash(hashes: list[bytes]) -> Int64:
    """Return the pairs of hashes that are of one photograph: (n, 2) int64."""
    bits = np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, HASH_BYTES), axis=1)
    # Of vectors of +1 and -1 the squared distance is four times the number of differing bits.
    return near(bits.astype(np.float32) * 2 - 1, 2 * (SAME_HASH + 0.5) ** 0.5)
