# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.photographs import photograph

import ffgan
from ffgan import faces
from ffgan.faces import orientation
from ffgan.faces.detection import Detector
from ffgan.faces.pose import pose
from ffgan.typing import RGB

pytestmark = pytest.mark.usefixtures("files")


def lying(picture: RGB, turn: int) -> RGB:
    """The picture, turned clockwise by that many quarter turns."""
    return np.ascontiguousarray(np.rot90(picture, -turn))


def inside(points: np.ndarray, turn: int, side: int) -> np.ndarray:
    """Points of the picture that `lying` turned, in the upright one."""
    for _ in range(turn):
        points = np.stack([points[:, 1], side - 1 - points[:, 0]], axis=1)
    return points


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("count", [5, 68])
def test_a_face_that_lies_has_the_landmarks_of_the_upright_one(
    people: RGB, turn: int, count: int
) -> None:
    for face in people[1:2]:
        picture = photograph(face)
        [upright] = orientation.find(picture, count=count)  # type: ignore[arg-type]
        assert (upright.turn, upright.fits) == (0, True)
        [box] = faces.detect(picture)
        assert upright.box == box
        assert np.array_equal(upright.points, faces.landmarks(picture, [box], count=count)[0])  # type: ignore[arg-type]
        [found] = orientation.find(lying(picture, turn), count=count)  # type: ignore[arg-type]
        assert (found.turn, found.fits) == (turn, True)
        assert found.box.confidence == upright.box.confidence
        assert np.abs(inside(found.points, turn, len(picture)) - upright.points).max() <= 1
        assert abs((pose(found.points).roll - 90 * turn + 180) % 360 - 180) < 30


def test_only_where_nothing_is_found_a_picture_is_turned(people: RGB) -> None:
    both = np.concatenate([photograph(people[0]), lying(photograph(people[1]), 1)], axis=1)
    [upright] = orientation.find(both)
    assert upright.turn == 0
    assert {face.turn for face in orientation.find(both, rotate="always")} == {0, 1}
    assert orientation.find(lying(photograph(people[1]), 1), rotate="never") == []


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_face_of_the_network_is_judged_in_every_turn(people: RGB, turn: int) -> None:
    cnn: Detector = "cnn"
    [face] = orientation.find(lying(photograph(people[1]), turn), detector=cnn)
    assert (face.turn, face.fits) == (turn, True)


@pytest.mark.slow
def test_what_the_frontal_detector_finds_upside_down_is_turned() -> None:
    """Of one face in twenty it takes the one upside down for a poor upright one."""
    pictures = [lying(photograph(face), 2) for face in ffgan.generate(40, seed=5)]
    wrong = [picture for picture in pictures if faces.detect(picture)]
    assert wrong
    for picture in wrong:
        [face] = orientation.find(picture)
        assert (face.turn, face.fits) == (2, True)


def test_a_large_picture_keeps_its_places(people: RGB) -> None:
    """A picture that is not square, with a face near its corner."""
    picture = np.full((500, 900, 3), 120, np.uint8)
    picture[250:490, 640:880] = cv2.resize(people[1], (240, 240), interpolation=cv2.INTER_CUBIC)
    [upright] = orientation.find(picture)
    for turn in (1, 3):
        [found] = orientation.find(lying(picture, turn))
        rows = np.array(
            [upright.box.left + upright.box.right, upright.box.top + upright.box.bottom]
        )
        middle = rows / 2
        expected = (500 - middle[1], middle[0]) if turn == 1 else (middle[1], 900 - middle[0])
        place = np.array([found.box.left + found.box.right, found.box.top + found.box.bottom]) / 2
        assert np.abs(place - expected).max() <= 3
