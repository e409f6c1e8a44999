# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import cv2
import numpy as np
import pytest

import ffgan
from ffgan import images
from ffgan.extraction import perceptual_hash


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
    hashes = [perceptual_hash.perceptual_hash(face) for face in people]
    assert all(len(value) == perceptual_hash.HASH_BYTES for value in hashes)
    for i, face in enumerate(people):
        for again in saved_again(face):
            assert (
                differing(hashes[i], perceptual_hash.perceptual_hash(again))
                <= perceptual_hash.SAME_HASH
            )
    assert len(perceptual_hash.same_hash(hashes)) == 0
    copies = [perceptual_hash.perceptual_hash(saved_again(face)[2]) for face in people[:3]]
    assert perceptual_hash.same_hash(hashes + copies).tolist() == [[0, 24], [1, 25], [2, 26]]


def test_a_mirrored_face_is_another(people: np.ndarray) -> None:
    mirrored = perceptual_hash.perceptual_hash(np.ascontiguousarray(people[0][:, ::-1]))
    assert (
        differing(mirrored, perceptual_hash.perceptual_hash(people[0])) > perceptual_hash.SAME_HASH
    )


def test_the_limit_is_a_number_of_bits() -> None:
    none = bytes(perceptual_hash.HASH_BYTES)
    at = (2**perceptual_hash.SAME_HASH - 1).to_bytes(perceptual_hash.HASH_BYTES, "big")
    beyond = (2 ** (perceptual_hash.SAME_HASH + 1) - 1).to_bytes(perceptual_hash.HASH_BYTES, "big")
    assert len(perceptual_hash.same_hash([none, at])) == 1
    assert len(perceptual_hash.same_hash([none, beyond])) == 0
    assert len(perceptual_hash.same_hash([])) == 0
