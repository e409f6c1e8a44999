# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin, hair, light and background, in pictures whose colours are known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from ffgan.attributes import ATTRIBUTES, colours
from ffgan.typing import RGB

# Five landmarks of a face that looks straight ahead: eye at the right, eye at the left, nose.
POINTS = np.array([[110.0, 70], [90, 70], [50, 70], [70, 70], [80, 105]])


def coloured(lightness: float, yellow: float, side: int = 160) -> RGB:
    lab = np.full((side, side, 3), (lightness, 12.0, yellow), np.float32)
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
    angle = colours.skin_tone(image, POINTS)
    # Eight bits of a colour are worth two degrees here.
    assert angle == pytest.approx(math.degrees(math.atan2(lightness - 50, yellow)), abs=2)
    low, high = ATTRIBUTES["tone"].range_of(group)
    assert low < angle < high


def test_one_cheek_in_the_shade_counts_half() -> None:
    image = coloured(70.0, 16.0)
    image[:, :80] = coloured(40.0, 16.0)[:, :80]
    light, dark = (colours.skin_tone(coloured(value, 16.0), POINTS) for value in (70.0, 40.0))
    assert colours.skin_tone(image, POINTS) == pytest.approx((light + dark) / 2, abs=0.1)


def test_cheeks_outside_the_picture_have_no_tone() -> None:
    assert math.isnan(colours.skin_tone(coloured(60.0, 15.0), POINTS + 500))
    assert math.isnan(colours.skin_tone(coloured(60.0, 15.0), POINTS - 500))
    assert not math.isnan(colours.skin_tone(coloured(60.0, 15.0), POINTS + np.array([90, 0])))


def portrait(hair: float, wall: float) -> RGB:
    """A face of skin's colour, hair of that lightness around it, a wall in the corners."""
    picture = coloured(70.0, 18.0, 162)
    mask = np.ones((162, 162), np.uint8)
    cv2.ellipse(mask, (80, 95), (58, 88), 0, 0, 360, 0, -1)
    picture[mask == 1] = coloured(hair, 8.0, 162)[0, 0]
    picture[:30, :10] = picture[:30, -10:] = coloured(wall, 0.0, 162)[0, 0]
    return picture


@pytest.mark.parametrize(
    ("hair", "group"), [(8, "black"), (22, "dark"), (38, "medium"), (50, "fair")]
)
def test_hair_is_told_from_skin(hair: float, group: str) -> None:
    found = colours.hair_lightness(portrait(hair, 90))
    assert found == pytest.approx(hair, abs=2)
    low, high = ATTRIBUTES["hair"].range_of(group)
    assert low <= found < high


def test_all_skin_has_no_hair() -> None:
    assert math.isnan(colours.hair_lightness(coloured(70.0, 18.0, 162)))


def test_the_background_is_that_of_the_corners() -> None:
    assert colours.background(portrait(20, 85)) == pytest.approx(85, abs=1)


def test_a_blurred_picture_is_less_sharp() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (162, 162, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 1.5)
    assert colours.sharpness(noise) > 2.5 > 1.8 > colours.sharpness(blurred)
