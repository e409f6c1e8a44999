# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate search, one draw at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffgan.errors import UsageError
from ffgan.latent import stream
from ffgan.model.candidate_search import MAX_TRIES, Face, search


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
