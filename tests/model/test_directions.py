# SPDX-License-Identifier: GPL-3.0-or-later
"""The directions of the latent space, against what they claim to be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ffgan import _core
from ffgan.errors import ModelError
from ffgan.model import Model
from ffgan.model.directions import NORM_EPSILON, Direction, direction_names, directions


@pytest.fixture(scope="module")
def generator() -> dict[str, np.ndarray]:
    made = np.random.default_rng(3)
    parameters = _core.Trainer(seed=3).parameters("averaged")
    # A fresh network's norms are all 1: these make sure that they count.
    parameters["norm1.weight"] = made.uniform(0.1, 2.0, 512).astype(np.float32)
    parameters["norm1.running_var"] = made.uniform(0.1, 4.0, 512).astype(np.float32)
    return parameters


@pytest.fixture(scope="module")
def found(generator: dict[str, np.ndarray]) -> tuple[Direction, ...]:
    return directions(generator, {0: ("dark", "light"), 3: (None, "smile")})


def first_layer(generator: dict[str, np.ndarray], latents: np.ndarray) -> np.ndarray:
    """The normalised output of the first transposed convolution, written out: (n, 512, 4, 4)."""
    output = np.einsum("nz,zcyx->ncyx", latents, generator["conv1.weight"].astype(np.float64))
    deviation = np.sqrt(generator["norm1.running_var"] + NORM_EPSILON)
    return output * (generator["norm1.weight"] / deviation)[:, None, None]


def test_they_are_orthonormal_and_the_strongest_come_first(found: tuple[Direction, ...]) -> None:
    vectors = np.stack([direction.vector for direction in found])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(100), atol=1e-5)
    strengths = [direction.strength for direction in found]
    assert strengths == sorted(strengths, reverse=True)
    assert sum(strengths) == pytest.approx(1)
    assert [direction.index for direction in found] == list(range(100))


def test_strength_is_the_share_of_the_first_layers_variance(
    generator: dict[str, np.ndarray], found: tuple[Direction, ...]
) -> None:
    along = first_layer(generator, np.stack([direction.vector for direction in found]))
    squares = (along**2).sum(axis=(1, 2, 3))
    expected = squares / squares.sum()
    np.testing.assert_allclose([direction.strength for direction in found], expected, rtol=1e-4)


def test_no_other_move_of_one_length_changes_the_first_layer_more(
    generator: dict[str, np.ndarray], found: tuple[Direction, ...]
) -> None:
    others = np.random.default_rng(1).standard_normal((500, 100))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    changes = (first_layer(generator, others) ** 2).sum(axis=(1, 2, 3))
    strongest = (first_layer(generator, found[0].vector[None]) ** 2).sum()
    assert strongest > changes.max()


def test_the_sign_does_not_depend_on_chance(
    generator: dict[str, np.ndarray], found: tuple[Direction, ...]
) -> None:
    for direction in found:
        assert direction.vector[np.argmax(np.abs(direction.vector))] > 0
    again = directions({name: array.copy() for name, array in generator.items()}, {})
    for first, second in zip(found, again, strict=True):
        np.testing.assert_array_equal(first.vector, second.vector)


def test_names_stand_beside_their_directions(found: tuple[Direction, ...]) -> None:
    named = [(direction.low, direction.high) for direction in found[:4]]
    assert named == [("dark", "light"), (None, None), (None, None), (None, "smile")]


def test_a_models_metadata_names_them(generator: dict[str, np.ndarray]) -> None:
    discriminator = _core.Trainer(seed=3).parameters("discriminator")
    names = [{"index": 1, "low": "young", "high": "old"}]
    model = Model(generator, discriminator, {"directions": json.dumps(names)})
    assert model.directions()[1].low == "young"
    assert model.directions() is model.directions()
    with pytest.raises(ModelError, match="directions are not a list"):
        Model(generator, discriminator, {"directions": "no JSON"})


@pytest.mark.parametrize(
    "text",
    [
        *["{}x", "7", "null", '"x"', '{"index": 1}', "[1]", "[null]", "[[]]", '[{"low": "x"}]'],
        *['[{"index": "1"}]', '[{"index": true}]', '[{"index": 1.5}]', '[{"index": 1, "low": 2}]'],
        *['[{"index": 1, "high": ""}]', json.dumps([{"index": 1, "low": "x" * 41}]), "[" * 100_000],
    ],
)
def test_what_is_no_list_of_names_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"^faces: the metadata's directions"):
        direction_names(text, "faces")


def test_no_names_are_no_error() -> None:
    assert direction_names(None) == {}
    assert direction_names("[]") == {}
