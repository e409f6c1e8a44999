# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import cv2
import numpy as np
import pytest

import ffgan
from ffgan import faces
from ffgan.faces import orientation, tiling


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 500x500 pixels were many."""
    monkeypatch.setattr(tiling, "WHOLE", 500 * 500)
    monkeypatch.setattr(tiling, "TILE", 500)
    monkeypatch.setattr(tiling, "OVERLAP", 220)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Faces of 162 and of 700 pixels in a picture of 1100x2000."""
    people = ffgan.generate(8, seed=3)
    picture = np.full((1100, 2000, 3), 120, np.uint8)
    for i, face in enumerate(people[:6]):
        picture[40 + 330 * (i // 2) :, 30 + 420 * (i % 2) :][:162, :162] = face
    picture[300:1000, 1200:1900] = cv2.resize(people[6], (700, 700), interpolation=cv2.INTER_CUBIC)
    return picture


def places(found: list[faces.Box]) -> np.ndarray:
    """Column and row of the middle and side of each box, in one order."""
    rows = [((b.left + b.right) / 2, (b.top + b.bottom) / 2, b.right - b.left) for b in found]
    return np.array(sorted(rows, key=lambda row: (row[0] // 200, row[1])))


def test_the_same_faces_are_found_in_pieces_as_in_the_whole(
    scene: np.ndarray, request: pytest.FixtureRequest
) -> None:
    whole = faces.detect(scene)
    assert len(whole) == 7
    request.getfixturevalue("small_tiles")
    pieces = faces.detect(scene)
    assert len(pieces) == 7
    assert [b.confidence for b in pieces] == sorted((b.confidence for b in pieces), reverse=True)
    one, other = places(whole), places(pieces)
    side = one[:, 2:]
    # dlib looks at sizes that are a sixth apart, and at other ones in a smaller image.
    assert (np.abs(one - other) < 0.25 * side).all()


@pytest.mark.usefixtures("small_tiles")
def test_no_piece_is_larger_than_what_is_allowed_and_all_is_covered(scene: np.ndarray) -> None:
    seen = np.zeros(scene.shape[:2], bool)
    for top, left, piece in tiling._pieces(scene, tiling.TILE, tiling.OVERLAP):
        assert piece.shape[0] * piece.shape[1] <= tiling.WHOLE
        assert np.array_equal(piece, scene[top:, left:][: piece.shape[0], : piece.shape[1]])
        seen[top : top + piece.shape[0], left : left + piece.shape[1]] = True
    assert seen.all()
    looked_at: list[int] = []

    def find(piece: np.ndarray) -> list[faces.Box]:
        looked_at.append(piece.shape[0] * piece.shape[1])
        return []

    assert tiling.detect(scene, 0, find) == []
    assert max(looked_at) <= tiling.WHOLE
    assert sum(looked_at) < 4 * scene.shape[0] * scene.shape[1]


@pytest.mark.parametrize("length", [10, 500, 501, 779, 780, 781, 5000])
def test_neighbours_overlap(length: int) -> None:
    starts = tiling._starts(length, 500, 220)
    ends = [min(start + 500, length) for start in starts]
    assert (starts[0], ends[-1]) == (0, length)
    assert all(end - start >= 220 for start, end in zip(starts[1:], ends[:-1], strict=True))


def test_an_upsampled_image_fits_less_often() -> None:
    assert tiling.fits((4000, 4000), 0)
    assert not tiling.fits((4000, 4001), 0)
    assert tiling.fits((1000, 1000), 2)
    assert not tiling.fits((1001, 1000), 2)


def test_a_face_that_two_pieces_share_is_one() -> None:
    a = faces.Box(0, 0, 100, 100, 1.0)
    assert tiling.same_face(a, faces.Box(10, 10, 60, 60, 0.5))
    assert not tiling.same_face(a, faces.Box(80, 0, 180, 100, 0.5))
    assert not tiling.same_face(a, faces.Box(200, 0, 300, 100, 0.5))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_picture_is_searched_as_if_it_were_turned(turn: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1100, 1600, 3), np.uint8)
    searched: list[list[np.ndarray]] = [[], []]

    def into(pieces: list[np.ndarray]) -> Callable[[np.ndarray], list[faces.Box]]:
        def find(piece: np.ndarray) -> list[faces.Box]:
            assert piece.flags.c_contiguous
            pieces.append(piece)
            return [faces.Box(10, 20, 110, 120, float(len(pieces)))]

        return find

    turned = np.ascontiguousarray(np.rot90(picture, turn))
    found = tiling.detect(picture, 0, into(searched[0]), turn)
    assert found == tiling.detect(turned, 0, into(searched[1]))
    assert len(searched[0]) > 1
    assert all(np.array_equal(*pieces) for pieces in zip(*searched, strict=True))


def test_a_large_picture_is_never_turned_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = np.full((300, 500, 3), 120, np.uint8)
    for name, value in {"WHOLE": 150 * 150, "TILE": 150, "OVERLAP": 30}.items():
        monkeypatch.setattr(tiling, name, value)
    orientation.find(blank[:90, :90])
    tracemalloc.start()
    try:
        assert orientation.find(blank, rotate="always") == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < blank.nbytes * 0.7
