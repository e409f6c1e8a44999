# SPDX-License-Identifier: GPL-3.0-or-later
"""Glasses are told by their rims; a mirror image wears the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffgan.attributes.glasses import features, mirrored, probability
from ffgan.typing import RGB


def with_glasses(face: RGB) -> RGB:
    """Dark rims around both eyes, a bridge between them and temples beside them."""
    drawn = face.copy()
    lines = [((74, 62), (87, 62)), ((32, 62), (15, 58)), ((129, 62), (147, 58))]
    for column in (53, 108):
        cv2.ellipse(drawn, (column, 66), (21, 14), 0, 0, 360, (25, 20, 20), 2, cv2.LINE_AA)
    for start, end in lines:
        cv2.line(drawn, start, end, (25, 20, 20), 2, cv2.LINE_AA)
    return drawn


def test_drawn_glasses_are_seen(people: RGB) -> None:
    before = [probability(face) for face in people]
    after = [probability(with_glasses(face)) for face in people]
    assert np.median(before) < 0.1 and min(after) > 0.9
    assert all(0 <= p <= 1 for p in (*before, *after))


def test_a_mirror_image_has_the_mirrored_features(people: RGB) -> None:
    other = people[0][:, ::-1]
    assert np.allclose(features(other), mirrored(features(people[0])), atol=1e-4)
    assert probability(other) == pytest.approx(probability(people[0]), abs=1e-5)


def test_a_picture_of_one_colour_has_no_edges() -> None:
    assert not features(np.full((162, 162, 3), 130, np.uint8)).any()
