# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ffgan
from ffgan import images
from ffgan.extraction import perceptual_hash as duplicates


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    return ffgan.generate(24, seed=11)


def differing(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def saved_again(face: np.ndarray) -> list[np.ndarray]:
    return [
        cv2.resize(face, (90, 90), interpolation=cv2.INTER_AREA),
        cv2.resize(face, (400, 400), interpolation=cv2.INTER_CUBIC),
        images.decode(images.encode(face, "jpg", 25)),
        (face * 0.7).astype(np.uint8),
        np.clip(face * 0.8 + 40, 0, 255).astype(np.uint8),
    ]


def test_a_face_saved_again_is_known_and_another_person_is_not(people: np.ndarray) -> None:
    hashes = [duplicates.perceptual_hash(face) for face in people]
    assert all(len(value) == duplicates.HASH_BYTES for value in hashes)
    for i, face in enumerate(people):
        for again in saved_again(face):
            assert differing(hashes[i], duplicates.perceptual_hash(again)) <= duplicates.SAME_HASH
    assert len(duplicates.same_hash(hashes)) == 0
    copies = [duplicates.perceptual_hash(saved_again(face)[2]) for face in people[:3]]
    assert duplicates.same_hash(hashes + copies).tolist() == [[0, 24], [1, 25], [2, 26]]


def test_a_mirrored_face_is_another(people: np.ndarray) -> None:
    mirrored = duplicates.perceptual_hash(np.ascontiguousarray(people[0][:, ::-1]))
    assert differing(mirrored, duplicates.perceptual_hash(people[0])) > duplicates.SAME_HASH


def test_the_limit_is_a_number_of_bits() -> None:
    none = bytes(duplicates.HASH_BYTES)
    at = (2**duplicates.SAME_HASH - 1).to_bytes(duplicates.HASH_BYTES, "big")
    beyond = (2 ** (duplicates.SAME_HASH + 1) - 1).to_bytes(duplicates.HASH_BYTES, "big")
    assert len(duplicates.same_hash([none, at])) == 1
    assert len(duplicates.same_hash([none, beyond])) == 0
    assert len(duplicates.same_hash([])) == 0


def test_near_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).standard_normal((90, 3)).astype(np.float32)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    expected = [(i, j) for i in range(90) for j in range(i + 1, 90) if apart[i, j] < 0.7]
    monkeypatch.setattr(duplicates, "_BLOCK", 16)
    assert sorted(map(tuple, duplicates.near(vectors, 0.7).tolist())) == expected


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
    found = duplicates.groups(count, np.array(pairs, np.int64).reshape(-1, 2))
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
