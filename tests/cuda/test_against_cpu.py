# SPDX-License-Identifier: GPL-3.0-or-later
"""This build computes what the CPU build that wrote golden/ computed, up to rounding.

dlib asks cuDNN for float32 products with float32 sums (CUDNN_FMA_MATH) and lets it choose the
algorithm, which may be a fast one: sums are taken in another order, and transformed. Each bound
says what that may amount to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support import device

GOLDEN = Path(__file__).with_name("golden")

LEVELS = 2
"""Of 255: a rounding of the sigmoid's last float bits moves a pixel by one level at most, and the
fast algorithms of cuDNN (Winograd's) lose two or three decimal digits of float32's seven."""

SCORE = 2e-3
"""Of the scores' root mean square: a score sums some thousand products of both signs."""

GRADIENT = 5e-3
"""Of a layer's gradient: near 0 the slope of a ReLU hangs on the last bit, and the fewer images,
the more one such value weighs. PyTorch's own float32 is as far from its float64;
tests/core/test_twin.py has the same bound."""

PENALTY_GRADIENT = 2e-2
"""The penalty is a difference of two scores divided by a thousandth, which magnifies that."""

MOVED = 5e-2
"""Adam's first steps are of equal length for large and small gradients, so that a gradient that is
zero up to rounding moves its parameter either way."""


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float64]]:
    with np.load(GOLDEN / "numbers.npz") as file:
        numbers = {name: file[name] for name in file.files}
    assert str(numbers.pop("model")) == device.model("program").generator_hash, (
        "the packaged model has changed: python tests/cuda/make_golden.py"
    )
    return numbers


@pytest.fixture(scope="module")
def golden_faces() -> NDArray[np.uint8]:
    with Image.open(GOLDEN / "faces.png") as image:
        return np.stack(np.split(np.asarray(image), device.FACES, axis=1))


def test_faces_are_the_cpus_within_two_levels(golden_faces: NDArray[np.uint8]) -> None:
    difference = np.abs(device.faces().astype(int) - golden_faces.astype(int))
    print(f"largest difference {difference.max()}, {(difference > 0).mean():.3%} of values differ")
    assert difference.max() <= LEVELS


@pytest.mark.parametrize("discriminator", device.DISCRIMINATORS)
def test_scores_are_the_cpus(discriminator, golden, golden_faces) -> None:
    expected = golden[f"scores {discriminator}"]
    ours = device.scores(discriminator, golden_faces)
    scale = float(np.sqrt(np.mean(expected**2)))
    print(f"largest difference {np.abs(ours - expected).max() / scale:.1e} of the scores' size")
    np.testing.assert_allclose(ours, expected, rtol=0, atol=SCORE * scale)


def compared(kind: str, training: str, ours: dict, golden: dict) -> dict[str, float]:
    prefix = f"{kind} {training} "
    theirs = {k.removeprefix(prefix): v for k, v in golden.items() if k.startswith(prefix)}
    assert ours.keys() == theirs.keys()
    errors = {name: device.relative_error(ours[name], theirs[name]) for name in theirs}
    worst = max(errors, key=lambda name: errors[name])
    print(f"worst: {worst}, {errors[worst]:.1e}")
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("training", device.TRAININGS)
def test_a_steps_gradients_are_the_cpus(training, golden) -> None:
    errors = compared("gradients", training, device.gradients(training), golden)
    bound = PENALTY_GRADIENT if training == "relativistic" else GRADIENT
    assert max(errors.values()) < bound, errors


@pytest.mark.slow
@pytest.mark.parametrize("training", device.TRAININGS)
def test_parameters_move_as_the_cpus(training, golden) -> None:
    errors = compared("moved", training, device.moved(training), golden)
    assert max(errors.values()) < MOVED, errors


def test_a_sketch_shows_what_the_bounds_are_for() -> None:
    gradient = np.random.default_rng(1).standard_normal(100_000).astype(np.float32)
    wrong = gradient.copy()
    wrong[:10] *= -1  # of 100,000: a relative error of 2%
    error = device.relative_error(device.sketch("x", wrong), device.sketch("x", gradient))
    exact = float(np.linalg.norm(wrong - gradient) / np.linalg.norm(gradient))
    assert error == pytest.approx(exact, rel=0.5)
    assert error > GRADIENT
