# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose of heads whose pose is known, seen by a camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffgan.attributes import head_pose as module
from ffgan.attributes.head_pose import head_pose
from ffgan.typing import Float64


def turn(axis: int, degrees: float) -> Float64:
    vector = np.zeros(3)
    vector[axis] = np.radians(degrees)
    return cv2.Rodrigues(vector)[0]


def seen(yaw: float, pitch: float, roll: float, distance: float = 16.0) -> Float64:
    """The landmarks of the average head, first lowered, then turned, then leant."""
    rotation = turn(2, roll) @ turn(1, -yaw) @ turn(0, pitch)
    points = module._POINTS @ rotation.T + [0, -0.3, distance]
    found = np.zeros((68, 2))
    found[module._NUMBERS] = 80.5 + module._FOCAL_LENGTH * points[:, :2] / points[:, 2:]
    return found


@pytest.mark.parametrize("yaw", [-40, 0, 25])
@pytest.mark.parametrize("pitch", [-20, 0, 15])
@pytest.mark.parametrize("roll", [-30, 0, 10])
def test_a_known_pose_is_found(yaw: float, pitch: float, roll: float) -> None:
    assert head_pose(seen(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=0.1)


def test_signs_are_those_of_the_image() -> None:
    ahead = seen(0, 0, 0)
    tip, bridge, left_eye, right_eye = 30, 27, 36, 45
    right = seen(20, 0, 0)
    assert right[tip, 0] - right[bridge, 0] > ahead[tip, 0] - ahead[bridge, 0] + 3
    down = seen(0, 15, 0)
    assert down[tip, 1] - down[bridge, 1] > ahead[tip, 1] - ahead[bridge, 1] + 3
    clockwise = seen(0, 0, 10)
    assert clockwise[right_eye, 1] > clockwise[left_eye, 1] + 5


def test_points_that_are_a_pixel_off_move_the_pose_by_few_degrees() -> None:
    points = seen(10, 5, 0)
    points += np.random.default_rng(0).normal(size=points.shape)
    assert head_pose(points) == pytest.approx((10, 5, 0), abs=5)
