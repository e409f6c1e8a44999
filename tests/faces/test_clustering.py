# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from ffgan import _core
from ffgan.faces import clustering as identities


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
    labels = identities.cluster(embeddings)
    assert labels.dtype == np.int64
    for person, label in ((1, 0), (3, 1), (0, 2), (2, 3)):
        assert set(labels[whose == person].tolist()) == {label}


def test_the_same_faces_get_the_same_numbers() -> None:
    embeddings, _ = people([20, 20, 20], spread=0.5)
    first = identities.cluster(embeddings)
    assert np.array_equal(first, identities.cluster(embeddings))


def test_a_smaller_distance_tells_more_apart() -> None:
    embeddings, _ = people([40], spread=0.35)
    assert len(set(identities.cluster(embeddings).tolist())) == 1
    assert len(set(identities.cluster(embeddings, distance=0.2).tolist())) == 40


def test_no_face_and_one_face() -> None:
    assert identities.cluster(np.empty((0, 128), np.float32)).tolist() == []
    assert identities.cluster(np.zeros((1, 128), np.float32)).tolist() == [0]


def test_the_core_refuses_pairs_of_faces_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="a pair names a face that is not there"):
        _core.cluster_faces(2, np.array([[0, 2]], np.int64))
    with pytest.raises(ValueError, match="a pair names a face that is not there"):
        _core.cluster_faces(2, np.array([[-1, 0]], np.int64))
