# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate search, one draw at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffgan.errors import UsageError
from ffgan.latent import stream
from ffgan.model.candidate_search import BATCH, MAX_TRIES, Face, search, searched


def run(scores: list[float], **how: Any) -> tuple[Face, list[np.ndarray]]:
    """The face that a search finds when its draws get these scores, and the draws."""
    draws, latents = search(7, **how), []
    answer: Any = None
    while True:
        try:
            latents.append(draws.send(answer))
        except StopIteration as end:
            return end.value, latents
        number = len(latents) - 1
        answer = np.full((162, 162, 3), number, np.uint8), scores[number]


@given(st.lists(st.floats(-9, 9), min_size=20, max_size=20), st.integers(1, 20), st.floats(-9, 9))
def test_it_takes_the_first_candidate_or_else_the_best(
    scores: list[float], tries: int, threshold: float
) -> None:
    face, latents = run(scores, tries=tries, threshold=threshold)
    above = [i for i, score in enumerate(scores[:tries]) if score > threshold]
    draws = above[0] + 1 if above else tries
    taken = above[0] if above else int(np.argmax(scores[:tries]))
    assert (face.tries, face.score, face.seed) == (draws, scores[taken], 7)
    assert face.image[0, 0, 0] == taken
    np.testing.assert_array_equal(face.latent, latents[taken])
    assert len(latents) == draws


def test_it_draws_from_the_seeds_stream() -> None:
    _, latents = run([0.0] * 5, tries=5, threshold=1.0, truncation=0.5)
    expected = stream(7)
    for latent in latents:
        np.testing.assert_array_equal(latent, next(expected) * np.float32(0.5))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"tries": 0}, "tries"),
        ({"tries": 1001}, "tries"),
        ({"tries": True}, "tries"),
        ({"threshold": float("nan")}, "threshold"),
        ({"truncation": 3.0}, "truncation"),
    ],
)
def test_what_is_out_of_range_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        next(search(7, **how))


@pytest.mark.parametrize("how", [{"tries": 1}, {"tries": MAX_TRIES}, {"truncation": 2.0}])
def test_the_ends_of_the_ranges_are_in_range(how: dict[str, Any]) -> None:
    assert next(search(7, **how)).shape == (100,)


def judge(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images of one value and scores, both made of a latent's first numbers."""
    images = np.empty((len(latents), 162, 162, 3), np.uint8)
    images[...] = (np.abs(latents[:, 0]) * 50)[:, None, None, None]
    return images, latents[:, 1].astype(np.float32)


@pytest.mark.parametrize("cores", [1, 2, 7])
@pytest.mark.parametrize("threshold", [-9.0, 0.5, 2.0])
def test_faces_that_are_searched_together_are_those_of_each_alone(
    cores: int, threshold: float
) -> None:
    how: dict[str, Any] = {"tries": 9, "threshold": threshold, "truncation": 0.8}
    sizes = []

    def counted(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(latents))
        return judge(latents)

    together = list(searched(iter(range(5, 105)), counted, cores, **how))
    alone = [next(searched(iter([seed]), judge, 1, **how)) for seed in range(5, 105)]
    assert [face.seed for face in together] == list(range(5, 105))
    for one, other in zip(together, alone, strict=True):
        assert (one.tries, one.score, one.seed) == (other.tries, other.score, other.seed)
        np.testing.assert_array_equal(one.latent, other.latent)
        np.testing.assert_array_equal(one.image, other.image)
        assert one.image.base is None  # and holds no other's memory
    assert sum(sizes) == sum(face.tries for face in together)
    assert sizes[0] == 1
    assert max(sizes) == BATCH


def test_few_seeds_are_searched_ahead_of_one_that_takes_long() -> None:
    begun = []

    def seeds() -> Iterator[int]:
        for seed in range(10_000):
            begun.append(seed)
            yield seed

    of_the_first = {tuple(latent) for latent in islice(stream(0), 300)}

    def first_is_bad(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, _ = judge(latents)
        good = [tuple(latent) not in of_the_first for latent in latents]
        return images, np.array(good, np.float32)

    found = searched(seeds(), first_is_bad, 2, tries=300, threshold=0.5, truncation=1.0)
    assert next(found).tries == 300
    assert len(begun) < 200
    found.close()


def test_an_error_of_the_judge_comes_through() -> None:
    def broken(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if len(latents) == BATCH:
            raise MemoryError
        return judge(latents)

    with pytest.raises(MemoryError):
        list(searched(iter(range(100)), broken, 2, tries=2, threshold=0.5, truncation=1.0))
