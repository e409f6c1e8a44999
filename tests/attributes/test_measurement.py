# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured faces: one framing, mirror images, turned pictures, names, shapes and threads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffgan import _core, attributes
from ffgan.attributes import measure
from ffgan.attributes.measurement import Table
from ffgan.errors import UsageError
from ffgan.typing import RGB


def test_there_is_a_column_for_each_attribute(found: Table) -> None:
    assert set(attributes.ATTRIBUTES) <= set(found.dtype.names)
    for name, one in attributes.ATTRIBUTES.items():
        numbers = found[one.column]
        assert numbers.dtype == np.float32 and np.isfinite(numbers).all()
        if one.kind == "choice":
            assert set(found[name]) <= set(one.choices)
            low, high = zip(*map(one.range_of, found[name]), strict=True)
            assert (low <= numbers).all() and (numbers <= high).all()


def test_only_what_is_asked_for_is_measured_and_it_is_the_same(people: RGB, found: Table) -> None:
    some = measure(people[:3], ["yaw", "tone"])
    assert some.dtype.names == ("yaw", "tone", "skin_tone")
    for name in some.dtype.names:
        assert (some[name] == found[name][:3]).all()


def test_a_face_is_measured_alike_alone_and_among_others(people: RGB, found: Table) -> None:
    threads = _core.engine()["threads"]
    try:
        _core.set_threads(1)
        alone = measure(people[4:5])
    finally:
        _core.set_threads(threads)
    assert alone[0] == found[4]


def test_a_mirror_image_looks_the_other_way_and_is_the_same_otherwise(
    people: RGB, found: Table
) -> None:
    other = measure(np.ascontiguousarray(people[:, :, ::-1]))
    for name in ("yaw", "roll", "light"):
        assert np.allclose(other[name], -found[name], atol=0.6), name
    for name in ("age", "male", "pitch", "smile", "eye_open", "brow_height", "face_width"):
        assert np.allclose(other[name], found[name], atol=0.02 * np.abs(found[name]).max()), name
    assert (other["gender"] == found["gender"]).all()


@pytest.mark.parametrize("degrees", [-6, 6])
def test_a_picture_that_is_turned_leans(people: RGB, found: Table, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((80.5, 80.5), -degrees, 1.0)  # OpenCV's go anticlockwise
    turned = np.stack([cv2.warpAffine(face, turn, (162, 162), None, 1, 1) for face in people])
    other = measure(turned, ["yaw", "pitch", "roll"])
    assert np.median(other["roll"] - found["roll"]) == pytest.approx(degrees, abs=0.6)
    assert np.abs(other["yaw"] - found["yaw"]).mean() < 2
    assert np.abs(other["pitch"] - found["pitch"]).mean() < 2


def test_light_from_one_side_is_seen_there(people: RGB, found: Table) -> None:
    shade = np.linspace(0.6, 1.0, 162)[None, :, None]
    lit = (people * shade).astype(np.uint8)
    other = measure(lit, ["light", "brightness"])
    assert (other["light"] > found["light"] + 1).all()
    assert (other["brightness"] < found["brightness"]).all()


def test_a_grey_picture_has_no_skin_tone(people: RGB) -> None:
    grey = np.repeat(people[:2].mean(axis=3, keepdims=True).astype(np.uint8), 3, axis=3)
    found = measure(grey, ["tone"])
    assert np.isnan(found["skin_tone"]).all()
    assert (found["tone"] == "").all()


def test_ages_come_with_their_distribution(people: RGB, found: Table) -> None:
    distributions = attributes.age_distributions(people)
    assert distributions.shape == (len(found), 81)
    assert np.allclose(distributions.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(distributions @ np.array([0.25, *range(1, 81)]), found["age"], atol=1e-3)


def test_no_face_is_an_empty_table() -> None:
    nobody = measure(np.zeros((0, 162, 162, 3), np.uint8))
    assert nobody.shape == (0,) and "age" in nobody.dtype.names


def test_other_arrays_and_names_are_refused() -> None:
    with pytest.raises(UsageError, match=r"faces are float64 \(1, 162, 162, 3\), not uint8"):
        measure(np.zeros((1, 162, 162, 3)))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"did you mean 'yaw'\?"):
        measure(np.zeros((1, 162, 162, 3), np.uint8), ["yawn"])


def test_the_order_of_an_array_in_memory_does_not_count(people: RGB, found: Table) -> None:
    other = measure(np.asfortranarray(people), ["sharpness", "brightness"])
    assert (other["sharpness"] == found["sharpness"]).all()
    assert (other["brightness"] == found["brightness"]).all()


def test_faces_of_several_sizes_are_refused(people: RGB) -> None:
    with pytest.raises(UsageError, match="faces differ in shape"):
        measure([people[0], people[1][:100]], "age")
