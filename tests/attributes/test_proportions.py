# SPDX-License-Identifier: GPL-3.0-or-later
"""Ratios of landmarks: size, place and leaning do not count, and each sees what it is called."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ffgan.attributes import landmarks, proportions
from ffgan.attributes.head_pose import head_pose
from ffgan.typing import RGB, Float64


@pytest.fixture(scope="module")
def points(people: RGB) -> Float64:
    return landmarks.find(people[1], 68, robust=True)


def ratios(points: Float64, yaw: float = 0.0, pitch: float = 0.0) -> dict[str, float]:
    face = proportions.upright(points)
    ahead = proportions.unturned(face, yaw)
    return {
        "smile": proportions.smile(ahead, pitch),
        "mouth_open": proportions.mouth_open(ahead),
        "eye_open": proportions.eye_open(ahead),
        "brow_height": proportions.brow_height(ahead, pitch),
        "face_width": proportions.face_width(face),
    }


def test_size_place_and_leaning_do_not_count(points: Float64) -> None:
    c, s = math.cos(0.3), math.sin(0.3)
    other = 3.7 * points @ np.array([[c, s], [-s, c]]) + [500, -80]
    assert ratios(other) == pytest.approx(ratios(points), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("smile", {48: (-4, -3), 54: (4, -3)}),
        ("mouth_open", {66: (0, 4)}),
        ("eye_open", {37: (0, -2), 38: (0, -2), 43: (0, -2), 44: (0, -2)}),
        ("brow_height", dict.fromkeys(range(17, 27), (0, -3))),
        ("face_width", {2: (-4, 0), 14: (4, 0)}),
    ],
)
def test_a_ratio_sees_what_it_is_called(
    points: Float64, name: str, moved: dict[int, tuple[int, int]]
) -> None:
    other = points.copy()
    for number, by in moved.items():
        other[number] += by
    before, after = ratios(points), ratios(other)
    assert after.pop(name) > before.pop(name) * 1.03
    if name == "mouth_open":  # the middle between the lips sinks: docs/attributes.md
        assert 0 < after.pop("smile") - before.pop("smile") < 0.15
    # The eyes' middles are the unit, and move by a fifth of a pixel with the lids.
    assert after == pytest.approx(before, abs=0.05)


def test_a_lowered_head_does_not_frown_nor_smile(people: RGB) -> None:
    # The same head: a pose that moves points is taken back out of the ratios.
    points = landmarks.find(people[1], 68, robust=True)
    pitch = head_pose(points).pitch
    neutral = ratios(points, pitch=pitch)
    assert ratios(points, pitch=pitch + 10)["brow_height"] > neutral["brow_height"]
    assert ratios(points, pitch=pitch + 10)["smile"] < neutral["smile"]
