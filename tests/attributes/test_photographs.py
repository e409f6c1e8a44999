# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in photographs, and stored ones: the same framing, place and attributes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.faces import turned

import ffgan
from ffgan.attributes import faces_in, measure_image
from ffgan.attributes.measurement import Table
from ffgan.errors import UsageError
from ffgan.typing import RGB

UPSIDE_DOWN = 82
"""The seed of such a face."""


def test_a_face_in_the_training_framing_is_taken_as_it_is(people: RGB, found: Table) -> None:
    seen = faces_in(people[0])
    assert (seen.chips == people[:1]).all() and seen.leaning.tolist() == [0]
    [row] = measure_image(people[0], ["age", "yaw"])
    assert row["age"] == found["age"][0] and row["yaw"] == found["yaw"][0]


def test_a_face_elsewhere_is_cut_out_to_the_same_attributes(people: RGB, found: Table) -> None:
    photograph = cv2.resize(people[1], (324, 324), interpolation=cv2.INTER_CUBIC)
    photograph = cv2.copyMakeBorder(photograph, 100, 40, 30, 120, cv2.BORDER_REPLICATE)
    [row] = measure_image(photograph)
    middle = (row["left"] + row["right"]) / 2, (row["top"] + row["bottom"]) / 2
    assert middle == pytest.approx((30 + 173, 100 + 174), abs=30)
    for name, near in {"age": 5, "yaw": 3, "pitch": 3, "smile": 0.15, "brightness": 2}.items():
        assert row[name] == pytest.approx(found[name][1], abs=near), name
    assert row["gender"] == found["gender"][1]


@pytest.mark.parametrize("degrees", [20, 160])
def test_roll_is_that_in_the_photograph(people: RGB, found: Table, degrees: float) -> None:
    [row] = measure_image(turned(people[1], -degrees), ["roll", "yaw"])  # OpenCV's: anticlockwise
    assert row["roll"] == pytest.approx(found["roll"][1] + degrees, abs=4)
    assert row["yaw"] == pytest.approx(found["yaw"][1], abs=5)


def test_no_face_is_an_empty_table(people: RGB) -> None:
    for image in (np.zeros((162, 162, 3), np.uint8), np.full((90, 300, 3), 200, np.uint8)):
        nobody = measure_image(image, "age")
        assert nobody.dtype.names == ("left", "top", "right", "bottom", "age")
        assert len(nobody) == 0


def test_a_stored_picture_whose_face_lies_elsewhere_is_cut_out(people: RGB) -> None:
    small = cv2.resize(people[0], (110, 110), interpolation=cv2.INTER_AREA)
    picture = cv2.copyMakeBorder(small, 40, 12, 45, 7, cv2.BORDER_REPLICATE)
    seen = faces_in(picture, upsample=1)
    assert len(seen.boxes) == 1 and seen.boxes[0].left > 40
    assert np.abs(seen.chips[0].astype(int) - picture).mean() > 10


@pytest.mark.parametrize("upside_down", [False, True])
def test_an_upside_down_face_in_the_framing_is_turned(upside_down: bool) -> None:
    # Upside down, dlib's detector takes it for an upright one in the same place.
    [face] = ffgan.generate(seed=UPSIDE_DOWN, tries=1)
    seen = faces_in(face[::-1, ::-1] if upside_down else face)
    assert len(seen.chips) == 1 and abs(seen.leaning[0]) == pytest.approx(180 * upside_down, abs=4)
    assert np.abs(seen.chips[0].astype(int) - face).mean() < 20


def test_a_wrong_way_to_look_is_refused_for_stored_faces_too(people: RGB) -> None:
    with pytest.raises(UsageError, match="detector 'dnn': give 'hog' or 'cnn'"):
        measure_image(people[0], "age", detector="dnn")  # type: ignore[arg-type]
    for wrong in (-1, 2.5, 9):
        with pytest.raises(UsageError, match=f"upsample {wrong}: give a whole number from 0 to 4"):
            measure_image(people[0], "age", upsample=wrong)  # type: ignore[arg-type]
