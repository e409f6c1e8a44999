# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffgan import features
from ffgan.audit.nearest_neighbours import (
    SPACES,
    NearestNeighbours,
    Representations,
    mirror,
    represent,
)

WIDE = 6


def some(count: int, seed: int) -> Representations:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, WIDE), np.uint8)
    return Representations(pixels, random.standard_normal((count, WIDE)).astype(np.float32))


def every_distance(x: Representations, y: Representations) -> dict[str, np.ndarray]:
    pixels = x.pixels[:, None].astype(float) - y.pixels.astype(float)
    vectors = x.faces[:, None].astype(float) - y.faces.astype(float)
    return {
        "pixels": np.sqrt((pixels**2).mean(axis=2)) / 255,
        "faces": np.linalg.norm(vectors, axis=2),
    }


@pytest.mark.parametrize("block", [1, 7, 40])
def test_the_nearest_two_are_those_of_all_distances(block: int) -> None:
    queries, others, mirrored = some(23, 0), some(40, 1), some(40, 2)
    nearest = NearestNeighbours(queries)
    for start in range(0, 40, block):
        rows = slice(start, start + block)
        nearest.update(
            start,
            Representations(others.pixels[rows], others.faces[rows]),
            Representations(mirrored.pixels[rows], mirrored.faces[rows]),
        )
    plain, turned = every_distance(queries, others), every_distance(queries, mirrored)
    for space in SPACES:
        both = np.minimum(plain[space], turned[space])
        best = both.argmin(axis=1)
        np.testing.assert_array_equal(nearest.index[space], best)
        two = np.sort(both, axis=1)
        np.testing.assert_allclose(nearest.distance[space], two[:, 0], rtol=1e-6)
        np.testing.assert_allclose(nearest.second[space], two[:, 1], rtol=1e-6)
        rows = np.arange(23)
        np.testing.assert_array_equal(
            nearest.mirrored[space], (turned[space] < plain[space])[rows, best]
        )
        np.testing.assert_allclose(nearest.closeness(space), two[:, 0] / two[:, 1], rtol=1e-6)


def test_an_image_is_not_its_own_neighbour() -> None:
    others = some(12, 0)
    queries = Representations(others.pixels[3:8], others.faces[3:8])
    nearest = NearestNeighbours(queries, np.arange(3, 8))
    for start in (0, 6):
        part = Representations(others.pixels[start : start + 6], others.faces[start : start + 6])
        nearest.update(start, part, part)
    for space in SPACES:
        assert (nearest.distance[space] > 0).all()
        assert not (nearest.index[space] == np.arange(3, 8)).any()


def test_equal_images_are_at_distance_0_and_a_pair_of_them_does_not_stand_out() -> None:
    others = some(5, 0)
    twice = Representations(np.repeat(others.pixels, 2, axis=0), np.repeat(others.faces, 2, axis=0))
    once, again = NearestNeighbours(others), NearestNeighbours(others)
    once.update(0, others)
    again.update(0, twice)
    for space in SPACES:
        assert (once.distance[space] == 0).all()
        np.testing.assert_array_equal(once.index[space], np.arange(5))
        assert (once.closeness(space) == 0).all()
        assert (again.closeness(space) == 1).all()


def test_images_are_averaged_over_nine_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (162, 162, 3), np.uint8)
    network = features.Network("faces", "", lambda x: x[:, 0, 0].astype(np.float32))
    seen = represent(np.stack([image, 255 - image]), network)
    assert len(seen) == 2
    means = image.reshape(54, 3, 54, 3, 3).mean(axis=(1, 3))
    assert abs(seen.pixels[0].reshape(54, 54, 3) - means).max() <= 0.5
    np.testing.assert_array_equal(seen.faces[0], image[0, 0])
    np.testing.assert_array_equal(mirror(image[None])[0], cv2.flip(image, 1))


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_parts_that_saw_some_each_find_what_one_finds_that_saw_all(parts: int) -> None:
    queries, others, mirrored = some(23, 0), some(40, 1), some(40, 2)
    for kind in (others.pixels, others.faces):
        kind[11], kind[30] = kind[3], kind[3]  # equally near: the first one counts
    itself = np.where(np.arange(23) < 5, np.arange(23) + 20, -1)
    together = NearestNeighbours(queries, itself)
    apart = [NearestNeighbours(queries, itself) for _ in range(parts)]
    for block, start in enumerate(range(0, 40, 4)):
        rows = slice(start, start + 4)
        given = [Representations(all.pixels[rows], all.faces[rows]) for all in (others, mirrored)]
        together.update(start, *given)
        apart[block % parts].update(start, *given)
    apart[0].update(40, some(0, 3), some(0, 3))  # of which none could be read
    apart[0].merge([one.found() for one in apart])
    for space in SPACES:
        for name in ("distance", "second", "index", "mirrored"):
            found = getattr(apart[0], name)[space]
            np.testing.assert_array_equal(found, getattr(together, name)[space])
