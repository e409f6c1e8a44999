# SPDX-License-Identifier: GPL-3.0-or-later
"""Demographics of a set of faces: skin tones and head poses."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import ffgan
from ffgan import faces
from ffgan.evaluation import demographics


def coloured(lightness: float, yellow: float) -> np.ndarray:
    lab = np.full((160, 160, 3), (lightness, 12.0, yellow), np.float32)
    return (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).round().astype(np.uint8)


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
