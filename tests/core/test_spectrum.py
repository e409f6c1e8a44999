# SPDX-License-Identifier: GPL-3.0-or-later
"""Detail and colour by octave: the energy distance of descriptions, derived and trained."""

from __future__ import annotations

import numpy as np
import pytest
from support.batches import random_latents

from ffgan import _core
from ffgan._core import _testing
from ffgan.typing import RGB, Float32

SIDE = 162
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def spectrum_distance(fakes: Float32, real: RGB) -> tuple[float, Float32]:
    return _testing.generator_loss("spectrum", fakes, real)  # type: ignore[no-any-return]


def planes(images: RGB) -> Float32:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def pictures(seed: int, count: int = 4) -> RGB:
    """Smooth colours under noise, of other contrasts in each."""
    random = np.random.default_rng(seed)
    smooth = random.random((count, 3, 3, 3)).repeat(54, 1).repeat(54, 2)
    noise = random.normal(0, 1, (count, SIDE, SIDE, 3)) * random.uniform(
        0.01, 0.1, (count, 1, 1, 1)
    )
    return np.uint8(255 * np.clip(0.25 + 0.5 * smooth + noise, 0, 1))


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Of descriptions (n, d) and (m, d), each number in its standard deviations in y."""
    deviation = np.maximum(y.std(0), 0.5 / 255)
    x, y = (side / deviation / np.sqrt(y.shape[1]) for side in (x, y))

    def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=2))

    within = [apart(s, s).sum() / (len(s) * (len(s) - 1)) for s in (x, y)]
    return float(2 * apart(x, y).mean() - sum(within))


def test_images_without_detail_are_compared_by_their_colours() -> None:
    random = np.random.default_rng(1)
    colours = random.integers(0, 256, (2, 5, 3)).astype(np.uint8)
    real, fakes = (side[:, None, None].repeat(SIDE, 1).repeat(SIDE, 2) for side in colours)
    means = [side / 255 @ YCBCR.T for side in colours]
    padded = [np.concatenate([side, np.zeros((5, 18))], axis=1) for side in means]
    expected = energy_distance(padded[1], padded[0])
    assert spectrum_distance(planes(fakes), real)[0] == pytest.approx(expected, rel=1e-2)


def test_the_spectrum_distance_is_derived_as_finite_differences_say() -> None:
    random = np.random.default_rng(2)
    real, x = pictures(3), planes(pictures(4))
    distance, gradient = spectrum_distance(x, real)
    assert distance > 0
    for _ in range(3):
        direction = np.sign(gradient) * random.random(x.shape, dtype=np.float32)
        ahead, behind = (spectrum_distance(x + step * direction, real)[0] for step in (1e-4, -1e-4))
        expected = float(np.vdot(gradient.astype(np.float64), direction))
        assert (ahead - behind) / 2e-4 == pytest.approx(expected, rel=1e-2)


def test_pale_blurred_and_uniform_images_are_further_away() -> None:
    real = pictures(5, 16)
    before = spectrum_distance(planes(pictures(6, 16)), real)[0]
    x = planes(pictures(6, 16))
    grey = x.mean(1, keepdims=True)
    smooth = x[:, :, 1::3, 1::3].repeat(3, 2).repeat(3, 3)
    one = x[:1].repeat(16, 0)
    for spoilt in (grey + 0.5 * (x - grey), smooth, one):
        assert spectrum_distance(np.ascontiguousarray(spoilt), real)[0] > before + 0.1


def test_colours_are_far_from_real_images_that_are_all_grey() -> None:
    grey = pictures(8, 16).mean(3, keepdims=True).astype(np.uint8).repeat(3, 3)
    other = pictures(9, 16).mean(3, keepdims=True).astype(np.uint8).repeat(3, 3)
    coloured = np.minimum(other, 200) + np.array([0, 0, 30], np.uint8)
    near, far = (spectrum_distance(planes(x), grey)[0] for x in (other, coloured))
    assert 0 < near < 1 < far


def test_the_spectrum_weight_brings_images_nearer() -> None:
    trainer = _core.Trainer(
        seed=2, adversarial_weight=0.0, spectrum_weight=1.0, learning_rate_g=1e-3, ema=0.0
    )

    def distance() -> float:
        made = _core.Generator(trainer.parameters("averaged")).generate_float(random_latents(8))
        return spectrum_distance(made, pictures(7, 8))[0]

    before = distance()
    for k in range(8):
        trainer.step(pictures(20 + k), random_latents(4, k))
    assert 0 < distance() < 0.95 * before
