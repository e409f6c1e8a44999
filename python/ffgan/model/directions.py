# SPDX-License-Identifier: GPL-3.0-or-later
"""Directions of the latent space that change a face most, found without any training.

Closed-form factorisation (SeFa; Shen & Zhou, CVPR 2021, section 3): of all moves of one length, the
one that changes the output of the generator's first layer most is the first eigenvector of A A^T,
where A is that layer's weight. The layer is linear up to its ReLU, so a move changes every face
by the same amount there. Its batch norm scales the channels, and is part of A.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ffgan.errors import ModelError
from ffgan.typing import Float32

Names: TypeAlias = dict[int, tuple[str | None, str | None]]

NORM_EPSILON = 1e-4
"""dlib's DEFAULT_BATCH_NORM_EPS."""

MAX_NAME = 40


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction: a face moves along it by ``latent + amount * vector``.

    ``vector`` is (100,) float32 of length 1, so an amount of 1 is one standard deviation of the
    noise. ``strength`` is the share, 0 to 1, of the first layer's variance that lies along it.
    ``low`` and ``high`` say what negative and positive amounts do, None where nobody has named
    it.
    """

    index: int
    strength: float
    vector: Float32
    low: str | None
    high: str | None


def directions(generator: Mapping[str, Float32], names: Names) -> tuple[Direction, ...]:
    """Return all 100 directions of a generator's parameters, the strongest first."""
    weight = generator["conv1.weight"].astype(np.float64)
    variance = generator["norm1.running_var"].astype(np.float64)
    gain = generator["norm1.weight"] / np.sqrt(variance + NORM_EPSILON)
    a = (weight * gain[:, None, None]).reshape(len(weight), -1)
    values, vectors = np.linalg.eigh(a @ a.T)
    order = np.argsort(values)[::-1]
    total = max(float(values.sum()), np.finfo(np.float64).tiny)
    found = []
    for index, column in enumerate(order):
        vector = vectors[:, column]
        # An eigenvector has no sign of its own, and names need one.
        vector = vector * np.sign(vector[np.argmax(np.abs(vector))])
        strength = max(float(values[column]), 0.0) / total
        low, high = names.get(index, (None, None))
        found.append(Direction(index, strength, vector.astype(np.float32), low, high))
    return tuple(found)


def direction_names(text: str | None, called: str = "the model") -> Names:
    """Read the names in a model's metadata: JSON, a list of {"index", "low", "high"}.

    Raises `ModelError` where it is something else.
    """
    if text is None:
        return {}
    try:
        return {
            _index(entry["index"]): (_name(entry.get("low")), _name(entry.get("high")))
            for entry in json.loads(text)
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{called}: the metadata's directions are not a list of"
            f' {{"index", "low", "high"}}: {error!r}'
        ) from error


def _index(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"the index {value!r} is not a whole number")
    return value


def _name(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= MAX_NAME):
        raise TypeError(f"a name is a text of up to {MAX_NAME} characters")
    return value
