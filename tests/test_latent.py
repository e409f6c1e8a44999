# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffgan import latent
from ffgan.errors import UsageError

seeds = st.integers(0, latent.MAX_SEED)


@given(seeds)
def test_noise_is_numpys_stream(seed: int) -> None:
    expected = np.random.default_rng(seed).standard_normal(100).astype(np.float32)
    np.testing.assert_array_equal(latent.noise(seed), expected)


def test_noise_never_changes() -> None:
    # The first values of seed 7: if these change, every face of every link changes.
    np.testing.assert_array_equal(
        latent.noise(7)[:3], np.float32([0.0012301534, 0.29874554, -0.27413785])
    )


def test_the_stream_goes_on_where_noise_ends() -> None:
    draws = list(itertools.islice(latent.stream(3), 3))
    expected = np.random.default_rng(3).standard_normal(300).astype(np.float32).reshape(3, 100)
    np.testing.assert_array_equal(draws, expected)


@pytest.mark.parametrize("seed", [-1, latent.MAX_SEED + 1, 1.5, "7", None, True])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    with pytest.raises(UsageError, match="seed"):
        latent.check_seed(seed)  # type: ignore[arg-type]


def test_random_seeds_differ_and_are_short() -> None:
    drawn = {latent.random_seed() for _ in range(100)}
    assert len(drawn) > 90
    assert all(0 <= seed < 2**32 for seed in drawn)


@given(seeds, seeds, st.integers(2, 9))
def test_interpolation_begins_and_ends_where_it_should(a: int, b: int, steps: int) -> None:
    start, end = latent.noise(a), latent.noise(b)
    path = latent.interpolate(start, end, steps)
    assert path.shape == (steps, 100) and path.dtype == np.float32
    np.testing.assert_allclose(path[0], start, atol=1e-5)
    np.testing.assert_allclose(path[-1], end, atol=1e-5)


def test_interpolation_keeps_the_length_of_noise() -> None:
    path = latent.interpolate(latent.noise(1), latent.noise(2), 11)
    lengths = np.linalg.norm(path, axis=1)
    assert lengths.min() > 0.97 * min(lengths[0], lengths[-1])
    with pytest.raises(UsageError, match="steps"):
        latent.interpolate(latent.noise(1), latent.noise(2), 1)


def test_truncation_scales_towards_the_mean() -> None:
    z = latent.noise(5)
    np.testing.assert_array_equal(latent.truncate(z, 0.5), z * np.float32(0.5))
    np.testing.assert_array_equal(latent.truncate(z, 0), np.zeros(100, np.float32))
    for bad in (-0.1, 2.5, float("nan")):
        with pytest.raises(UsageError, match="truncation"):
            latent.truncate(z, bad)


@given(st.lists(seeds, min_size=2, max_size=5))
def test_a_path_goes_through_its_latents(chosen: list[int]) -> None:
    latents = np.stack([latent.noise(seed) for seed in chosen])
    for i, key in enumerate(latents):
        np.testing.assert_array_equal(latent.path(latents, i), key)
    everywhere = latent.path(latents, np.arange(len(latents)))
    np.testing.assert_array_equal(everywhere, latents)


def test_a_path_is_made_of_interpolations() -> None:
    latents = np.stack([latent.noise(seed) for seed in (1, 2, 3)])
    path = latent.path(latents, np.linspace(0, 2, 9))
    assert path.shape == (9, 100) and path.dtype == np.float32
    np.testing.assert_array_equal(path[:5], latent.interpolate(latents[0], latents[1], 5))
    np.testing.assert_array_equal(path[4:], latent.interpolate(latents[1], latents[2], 5))
    assert latent.path(latents, 0.5).shape == (100,)
    np.testing.assert_array_equal(latent.path(latents[:1], 0.0), latents[0])


@pytest.mark.parametrize("at", [-0.01, 2.01, float("nan"), [0.0, 3.0]])
def test_a_path_has_an_end(at: float | list[float]) -> None:
    latents = np.stack([latent.noise(seed) for seed in (1, 2, 3)])
    with pytest.raises(UsageError, match="position"):
        latent.path(latents, np.asarray(at))


def test_opposite_and_equal_latents_have_a_path_too() -> None:
    z = latent.noise(1)
    for other in (z, -z):
        middle = latent.path(np.stack([z, other]), 0.5)
        np.testing.assert_allclose(middle, (z + other) / 2, atol=1e-6)


def test_a_path_of_short_latents_is_the_same_path_shortened() -> None:
    latents = np.stack([latent.noise(1), latent.noise(2)])
    middle = latent.path(latents, 0.5)
    np.testing.assert_allclose(
        latent.path(latents * np.float32(0.01), 0.5), middle / 100, rtol=1e-4
    )
