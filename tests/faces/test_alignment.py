# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.faces import turned

from ffgan import faces
from ffgan.errors import UsageError
from ffgan.faces import alignment
from ffgan.typing import RGB

# dlib's average face, of which its framing is made: outer and inner corner of the eye at the right,
# of the eye at the left, bottom of the nose; in shares of the face.
AVERAGE = np.array(
    [[0.85957, 0.21350], [0.64606, 0.22897], [0.12058, 0.21373], [0.33409, 0.22906],
     [0.49011, 0.62780]]
)  # fmt: skip


def ffhq_points() -> np.ndarray:
    """68 points of a face whose eyes and mouth are where FFHQ's formula is easy to compute."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (100, 100), (200, 100)
    points[48], points[54] = (120, 210), (180, 210)
    return points


def moved(points: np.ndarray, degrees: float, scale: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T * scale + 2000


@pytest.mark.parametrize("padding", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("degrees", [0, 30, -90])
def test_dlibs_square_lies_around_its_average_face(padding: float, degrees: float) -> None:
    points = moved(AVERAGE * 1000, degrees, 1.0)
    [(x, y, side, angle)] = alignment.squares(
        np.rint(points[None]).astype(np.int64), "dlib", size=200, padding=padding
    )
    middle = moved(np.array([[500.0, 500.0]]), degrees, 1.0)[0]
    assert np.hypot(*(middle - (x, y))) < 3
    assert side == pytest.approx(1000 * (1 + 2 * padding), rel=0.003)
    assert np.degrees(angle) == pytest.approx(degrees, abs=0.2)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (20, 3), (-170, 10)])
def test_the_training_square_follows_the_formula_of_ffhq_and_the_crop(
    degrees: float, scale: float
) -> None:
    points = np.rint(moved(ffhq_points(), degrees, scale)).astype(np.int64)
    [(x, y, dlib_side, angle)] = alignment.squares(points[None], "training", size=162, padding=0)
    # x' = 100 across, y' = 110 down: 4 * 100 is more than 3.6 * 110; c = 11 below the eyes.
    whole = 400 * scale
    middle = moved(np.array([[150, 111 + 30 / 512 * 400]]), degrees, scale)[0]
    assert np.hypot(*(middle - (x, y))) < 2
    assert (dlib_side - 1) * 162 / 161 == pytest.approx(whole * 368 / 512, rel=0.01)
    assert np.degrees(angle) == pytest.approx(degrees, abs=0.5)


def test_the_share_outside_is_that_of_the_area() -> None:
    def share(x: float, y: float, angle: float = 0.0) -> float:
        return alignment.outside(np.array([x, y, 40.0, angle]), 100, 100)

    assert share(50, 50) == 0
    assert share(0, 50) == pytest.approx(0.5, abs=0.03)
    assert share(0, 0) == pytest.approx(0.75, abs=0.03)
    assert share(500, 50, 0.3) == 1
    assert share(15, 50, np.pi / 4) == pytest.approx((20 * 2**0.5 - 15.5) ** 2 / 1600, abs=0.03)


def test_what_is_not_given_is_filled_in() -> None:
    assert alignment.check("dlib", None, None) == ("dlib", 200, 0.2)
    assert alignment.check("dlib", 90, 0.0) == ("dlib", 90, 0.0)
    assert alignment.check("training", None, None) == ("training", 162, 0.0)


def test_wrong_arguments_are_named() -> None:
    five = np.zeros((1, 5, 2), np.int64)
    with pytest.raises(UsageError, match="needs a shape predictor of 68 points"):
        alignment.squares(five, "training", size=162, padding=0)
    with pytest.raises(UsageError, match="a face has not 5 or 68 points"):
        alignment.squares(five[:, :4], "dlib", size=162, padding=0)
    with pytest.raises(UsageError, match="padding is not from 0 to 10"):
        alignment.squares(five, "dlib", size=162, padding=11)


@pytest.mark.usefixtures("files")
def test_alignment_puts_a_turned_face_upright(people: RGB) -> None:
    upright = faces.align(turned(people[0], 0))
    for degrees in (-20, 20):
        [points] = faces.landmarks(turned(people[0], degrees))
        slope = (points[0] - points[2])[1] / (points[0] - points[2])[0]
        assert abs(slope) > 0.2
        [chip] = faces.align(turned(people[0], degrees))
        assert chip.shape == (faces.CHIP_SIZE, faces.CHIP_SIZE, 3)
        inner = slice(40, 110), slice(30, 120)
        apart = np.abs(chip[inner].astype(float) - upright[0][inner]).mean()
        assert apart < 12  # of 255; a turn by 20 degrees without alignment makes 25 and more


@pytest.mark.usefixtures("files")
def test_chips_have_the_size_and_padding_asked_for(crowd: RGB) -> None:
    boxes = faces.detect(crowd)[:3]
    assert faces.align(crowd, boxes, size=40).shape == (3, 40, 40, 3)
    assert faces.align(crowd, []).shape == (0, 150, 150, 3)
    close, far = (faces.align(crowd, boxes, size=90, padding=p) for p in (0.0, 0.25))
    # The padding of a quarter on each side leaves the face two thirds of the chip.
    middle = np.stack([cv2.resize(chip[15:75, 15:75], (90, 90)) for chip in far])
    assert np.abs(middle.astype(float) - close).mean() < 10


@pytest.mark.usefixtures("files")
def test_the_training_framing_gives_a_face_of_the_training_set_back(people: RGB) -> None:
    inner = slice(25, -25), slice(25, -25)
    for degrees in (0, 15):
        differences = []
        for person in people:
            [chip] = faces.align(turned(person, degrees), framing="training")
            assert chip.shape == (162, 162, 3)
            differences.append(np.abs(chip[inner].astype(float) - person[inner]).mean())
        assert np.median(differences) < 5
        assert max(differences) < 15
    assert faces.align(people[0], [], framing="training", size=40).shape == (0, 40, 40, 3)


@pytest.mark.usefixtures("files")
def test_wrong_boxes_and_sizes_are_named(people: RGB) -> None:
    box = faces.Box(10, 10, 100, 100, 1.0)
    with pytest.raises(UsageError, match="a box has no pixel"):
        faces.align(people[0], [faces.Box(10, 10, 10, 100, 1.0)])
    with pytest.raises(UsageError, match="size of a chip is not from 1 to 4096"):
        faces.align(people[0], [box], size=0)
    with pytest.raises(UsageError, match="padding is not from 0 to 10"):
        faces.align(people[0], [box], padding=-1)
    with pytest.raises(UsageError, match="'training' has no padding"):
        faces.align(people[0], [box], framing="training", padding=0.2)
    with pytest.raises(UsageError, match="a square has no side"):
        faces.cut(people[0], np.zeros((1, 4)), 40)
