# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks from a fixed box: where dlib's detector has them, with fractions, mirrored."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan import faces
from ffgan.attributes import landmarks
from ffgan.faces.dlib_files import shape_predictor
from ffgan.typing import RGB


@pytest.mark.parametrize("count", [5, 68])
def test_points_are_where_the_detector_leads_to(people: RGB, count: int) -> None:
    apart = []
    for face in people:
        own = landmarks.find(face, count, robust=False)
        apart.append(np.abs(faces.landmarks(face, count=count)[0] - own).mean())
    assert own.shape == (count, 2)
    assert np.mean(apart) < 1


@pytest.mark.parametrize("count", [5, 68])
def test_a_mirror_image_has_the_mirrored_points(people: RGB, count: int) -> None:
    points = landmarks.find(people[0], count, robust=True)
    other = landmarks.find(people[0][:, ::-1], count, robust=True)
    assert np.allclose(landmarks.mirrored(other), points, atol=1e-6)
    one_sided = landmarks.find(people[0], count, robust=False)
    assert 0 < np.abs(points - one_sided).mean() < 2


def test_points_follow_a_picture_by_fractions_of_a_pixel(people: RGB) -> None:
    # The box moves along, so nothing but the sampling between pixels differs.
    predictor = shape_predictor(None, 68)
    box = np.array([landmarks.BOX])
    whole = predictor.locate(np.ascontiguousarray(people[0]), box)
    half = predictor.locate(
        np.ascontiguousarray(
            (people[0][:, 1:] / 2 + people[0][:, :-1] / 2).round().astype(np.uint8)
        ),
        box - [0.5, 0, 0.5, 0],
    )
    assert np.abs(whole[0] - half[0] - [0.5, 0]).mean() < 0.5
    assert (whole % 1 != 0).any()


def test_a_box_without_pixels_is_refused(people: RGB) -> None:
    predictor = shape_predictor(None, 5)
    for box in ([5.0, 5, 5, 9], [np.nan, 0, 1, 1]):
        with pytest.raises(ValueError, match="a box has no pixel"):
            predictor.locate(np.ascontiguousarray(people[0]), np.array([box]))
