# SPDX-License-Identifier: GPL-3.0-or-later
"""From images to latents: the gradient by finite differences, and what the distances measure."""

from __future__ import annotations

import numpy as np
import pytest
from support.batches import random_latents

from ffgan import Model, _core, faces
from ffgan.model import by_network
from ffgan.typing import Float32, Float64, UInt8

SQUARE = np.array([[82.0, 79.0, 170.0, 0.05]])
WEIGHTS = {"pyramid": 1.0, "perceptual": 0.7, "identity": 0.5, "prior": 0.1}


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load()


@pytest.fixture(scope="module")
def projector(model: Model, imagenet: _core.Parameters, recognition: str) -> _core.Projector:
    return _core.Projector(by_network(model.parameters)["generator"], imagenet, recognition)


def weighted(values: Float64) -> float:
    parts = values[0] * [1, 1, values[0, 2], 1]
    return float(parts @ list(WEIGHTS.values()))


def test_the_gradient_is_what_finite_differences_say(
    model: Model, projector: _core.Projector
) -> None:
    target = model.render(random_latents(1, seed=1))
    start = random_latents(1, seed=2) * np.float32(1.3)  # so long that the prior counts

    def measure(latent: Float32) -> tuple[float, Float32]:
        projector.begin(target, latent, SQUARE, **WEIGHTS)
        values, gradient = projector.measure(True)
        assert (values > 0).all()
        return weighted(values), gradient

    gradient = measure(start)[1]
    direction = gradient / np.linalg.norm(gradient)
    step = np.float32(0.01)
    ahead, behind = (measure(start + sign * step * direction)[0] for sign in (1, -1))
    slope = float(np.vdot(gradient, direction))
    assert (ahead - behind) / (2 * float(step)) == pytest.approx(slope, rel=0.1)


def test_steps_come_nearer_and_are_the_same_every_time(
    model: Model, projector: _core.Projector
) -> None:
    target = model.render(random_latents(2, seed=3))
    start = random_latents(2, seed=4)
    ends: list[Float32] = []
    for _ in range(2):
        projector.begin(target, start)
        values = [projector.step(0.1) for _ in range(6)]
        ends.append(projector.latents)
    assert (values[-1][:, 0] < 0.9 * values[0][:, 0]).all()
    assert np.array_equal(*ends)
    alone = _core.Projector(by_network(model.parameters)["generator"])
    alone.begin(target[:1], start[:1])
    for _ in range(6):
        alone.step(0.1)
    np.testing.assert_allclose(alone.latents, ends[0][:1], atol=1e-3)


def test_the_identity_is_the_distance_of_the_embeddings_of_the_cut_out_faces(
    model: Model, projector: _core.Projector
) -> None:
    latents = random_latents(2, seed=5)
    one, other = images = model.render(latents)

    def embedding(image: UInt8) -> Float32:
        embedded: Float32 = faces.embed(faces.cut(image, SQUARE, faces.CHIP_SIZE))[0]
        return embedded

    projector.begin(images[:1], latents[1:], SQUARE, pyramid=0, identity=1.0)
    measured = projector.measure()[0][0, 2]
    wanted = np.linalg.norm(embedding(one) - embedding(other))
    assert measured == pytest.approx(wanted, abs=0.06)


def test_wrong_arguments_are_named(model: Model) -> None:
    projector = _core.Projector(by_network(model.parameters)["generator"])
    with pytest.raises(ValueError, match="begin has not been called"):
        projector.step(0.1)
    target, latent = np.zeros((1, 162, 162, 3), np.uint8), np.zeros((1, 100), np.float32)
    with pytest.raises(ValueError, match="perceptual needs the ImageNet network"):
        projector.begin(target, latent, perceptual=1.0)
    with pytest.raises(ValueError, match="identity needs the recognition network"):
        projector.begin(target, latent, SQUARE, identity=1.0)
    with pytest.raises(ValueError, match="differ in number"):
        projector.begin(target, np.zeros((2, 100), np.float32))
    projector.begin(target, latent)
    with pytest.raises(ValueError, match="learning_rate"):
        projector.step(1.5)
