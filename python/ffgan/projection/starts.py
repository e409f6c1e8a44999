# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents to start from: the generator itself says what latents faces have.

The latents of some hundred of its faces are regressed on the faces, made small (ridge regression).
For another of its faces this explains a third of the latent's variance at once; with 3,000 it would
be half, and steps of the gradient are cheaper than so many faces.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Final

import numpy as np

from ffgan import images
from ffgan.latent import noise
from ffgan.model import Model
from ffgan.typing import RGB, Float32, ProgressCallback

SAMPLES: Final = 500
BATCH: Final = 50
SIDE: Final = 16
"""Of a face that was made small, in pixels."""

RIDGE: Final = 1.0
"""The penalty on the squares of the coefficients, with pixels from 0 to 1."""

SHRINK: Final = 0.7
"""Of the third start: nearer to the average face, where faces are easier to change."""


@dataclass(frozen=True, eq=False)
class Encoder:
    """From small faces to latents: ``(face - mean) @ weights``, and the samples themselves.

    ``mean`` (768,), ``weights`` (768, 100), ``faces`` (500, 768), ``latents`` (500, 100).
    """

    mean: Float32
    weights: Float32
    faces: Float32
    latents: Float32

    def starts(self, face: RGB) -> dict[str, Float32]:
        """Return latents (100,) to start from for a face (162, 162, 3), by their names."""
        [row] = small(face[None])
        regression = ((row - self.mean) @ self.weights).astype(np.float32)
        nearest = int(np.square(self.faces - row).sum(axis=1).argmin())
        return {
            "regression": regression,
            "nearest": self.latents[nearest],
            "shrunk": regression * np.float32(SHRINK),
        }


def small(faces: RGB) -> Float32:
    """Return faces (n, 162, 162, 3) as rows (n, 768) from 0 to 1."""
    rows = [images.resize(face, SIDE).reshape(-1) for face in faces]
    return np.asarray(rows, np.float32) / np.float32(255)


def fit(model: Model, show: ProgressCallback) -> Encoder:
    """Return the encoder of a model, from the faces of seeds 0 to 499, first draws."""
    latents = np.stack([noise(seed) for seed in range(SAMPLES)])
    parts = []
    for begin in range(0, SAMPLES, BATCH):
        parts.append(small(model.render(latents[begin : begin + BATCH])))
        show("faces to start from", begin + BATCH, SAMPLES)
    faces = np.concatenate(parts)
    mean = faces.mean(axis=0)
    centred = (faces - mean).astype(np.float64)
    # In the samples' own basis: there are fewer of them than pixels.
    weights = np.linalg.solve(centred @ centred.T + RIDGE * np.eye(SAMPLES), latents)
    return Encoder(mean, (centred.T @ weights).astype(np.float32), faces, latents)


_known: weakref.WeakKeyDictionary[Model, Encoder] = weakref.WeakKeyDictionary()


def encoder(model: Model, show: ProgressCallback) -> Encoder:
    """Return `fit` of a model, which is computed once: a second or two."""
    found = _known.get(model)
    if found is None:
        found = _known[model] = fit(model, show)
    return found
