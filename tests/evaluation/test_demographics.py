# SPDX-License-Identifier: GPL-3.0-or-later
"""Demographics of a set of faces: skin tones and head poses."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

import ffgan
from ffgan import faces
from ffgan.evaluation import demographics

# Five landmarks of a face that looks straight ahead: eye at the right, eye at the left, nose.
POINTS = np.array([[110, 70], [90, 70], [50, 70], [70, 70], [80, 105]])


def coloured(lightness: float, yellow: float) -> np.ndarray:
    lab = np.full((160, 160, 3), (lightness, 12.0, yellow), np.float32)
    return (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("lightness", "yellow", "group"),
    [
        (78.0, 14.0, "very light"),
        (67.0, 16.0, "light"),
        (62.0, 18.0, "intermediate"),
        (56.0, 18.0, "tan"),
        (47.0, 18.0, "brown"),
        (30.0, 14.0, "dark"),
    ],
)
def test_the_tone_is_the_angle_of_the_cheeks_colour(
    lightness: float, yellow: float, group: str
) -> None:
    image = coloured(lightness, yellow)
    image[:60] = 255  # what is not cheek does not count
    image[115:] = (0, 0, 255)
    angle = demographics.skin_tone(image, POINTS)
    # Eight bits of a colour are worth two degrees here.
    assert angle == pytest.approx(math.degrees(math.atan2(lightness - 50, yellow)), abs=2)
    found = demographics.shares(np.array([angle], np.float32), np.array([0], np.float32))
    assert [name for name in demographics.TONES if found[name]] == [group]


def test_one_cheek_in_the_shade_counts_half() -> None:
    image = coloured(70.0, 16.0)
    image[:, :80] = coloured(40.0, 16.0)[:, :80]
    light, dark = (demographics.skin_tone(coloured(value, 16.0), POINTS) for value in (70.0, 40.0))
    assert demographics.skin_tone(image, POINTS) == pytest.approx((light + dark) / 2, abs=0.1)


def test_cheeks_outside_the_picture_have_no_tone() -> None:
    assert math.isnan(demographics.skin_tone(coloured(60.0, 15.0), POINTS + 500))
    assert math.isnan(demographics.skin_tone(coloured(60.0, 15.0), POINTS - 500))
    assert not math.isnan(demographics.skin_tone(coloured(60.0, 15.0), POINTS + np.array([90, 0])))


def test_shares_are_of_the_faces_that_were_found() -> None:
    tone = np.array([60, 60, 30, np.nan], np.float32)
    yaw = np.array([0, -20, 20, np.nan], np.float32)
    found = demographics.shares(tone, yaw)
    assert found["very light"] == pytest.approx(2 / 3)
    assert found["intermediate"] == pytest.approx(1 / 3)
    assert found["turned"] == pytest.approx(2 / 3)
    assert sum(found[name] for name in demographics.TONES) == pytest.approx(1)
    nobody = demographics.shares(tone[3:], yaw[3:])
    assert set(nobody.values()) == {0.0}


def test_an_image_without_a_face_has_no_looks() -> None:
    image = coloured(60.0, 15.0)
    assert demographics.attributes(image, []) is demographics.UNKNOWN


def test_the_largest_face_is_looked_at() -> None:
    image = ffgan.generate(1, seed=0)[0]
    box = max(faces.detect(image), key=lambda box: box.right - box.left)
    small = faces.Box(0, 0, 10, 10, 1.0)
    assert demographics.attributes(image, [small, box]) == demographics.attributes(image, [box])
