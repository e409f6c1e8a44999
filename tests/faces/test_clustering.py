# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffgan import _core
from ffgan.faces import clustering


def people(sizes: list[int], spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around far centres, in a mixed order, and whose each one is."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((len(sizes), 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    whose = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = random.standard_normal((len(whose), 128)) * spread / 128**0.5
    return (centres[whose] + noise).astype(np.float32), whose


def test_faces_of_one_person_get_one_number_and_most_faces_the_first() -> None:
    embeddings, whose = people([3, 30, 1, 12], spread=0.3)
    labels = clustering.cluster(embeddings)
    assert labels.dtype == np.int64
    for person, label in ((1, 0), (3, 1), (0, 2), (2, 3)):
        assert set(labels[whose == person].tolist()) == {label}


def test_the_same_faces_get_the_same_numbers() -> None:
    embeddings, _ = people([20, 20, 20], spread=0.5)
    first = clustering.cluster(embeddings)
    assert np.array_equal(first, clustering.cluster(embeddings))


def test_a_smaller_distance_tells_more_apart() -> None:
    embeddings, _ = people([40], spread=0.35)
    assert len(set(clustering.cluster(embeddings).tolist())) == 1
    assert len(set(clustering.cluster(embeddings, distance=0.2).tolist())) == 40


def test_no_face_and_one_face() -> None:
    assert clustering.cluster(np.empty((0, 128), np.float32)).tolist() == []
    assert clustering.cluster(np.zeros((1, 128), np.float32)).tolist() == [0]


def test_the_core_refuses_pairs_of_faces_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="a pair names a face that is not there"):
        _core.cluster_faces(2, np.array([[0, 2]], np.int64))
    with pytest.raises(ValueError, match="a pair names a face that is not there"):
        _core.cluster_faces(2, np.array([[-1, 0]], np.int64))


def test_near_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).standard_normal((90, 3)).astype(np.float32)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    expected = [(i, j) for i in range(90) for j in range(i + 1, 90) if apart[i, j] < 0.7]
    monkeypatch.setattr(clustering, "_BLOCK", 16)
    assert sorted(map(tuple, clustering.near(vectors, 0.7).tolist())) == expected


@given(
    st.integers(0, 12).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(*[st.integers(0, max(n - 1, 0))] * 2), max_size=15 * (n > 0)),
        )
    )
)
@settings(max_examples=60, deadline=None)
def test_groups_are_what_the_pairs_connect(case: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = case
    found = clustering.groups(count, np.array(pairs, np.int64).reshape(-1, 2))
    assert sorted(i for group in found for i in group) == list(range(count))
    group_of = {i: k for k, group in enumerate(found) for i in group}
    assert all(group_of[a] == group_of[b] for a, b in pairs)
    # As many groups as there are numbers, less one for each pair that joins two.
    joined, label = 0, list(range(count))
    for a, b in pairs:
        if label[a] != label[b]:
            joined += 1
            label = [label[a] if value == label[b] else value for value in label]
    assert len(found) == count - joined
