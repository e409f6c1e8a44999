# SPDX-License-Identifier: GPL-3.0-or-later
"""One attribute of a face from end to end, and two against each other."""

from __future__ import annotations

import numpy as np
import pytest

import ffgan
from ffgan.control import Constraints, attribute_map, axes, strip
from ffgan.control.varying import cells
from ffgan.errors import UsageError


def test_an_axis_goes_from_end_to_end() -> None:
    fitted = attribute_map(ffgan.load())
    low, high = fitted.limits["age"]
    (axis,) = axes({"age": None}, fitted, 5)
    assert float(axis.values[0]) == pytest.approx(low, abs=1)
    assert float(axis.values[-1]) == pytest.approx(high, abs=1)
    assert len(axis.values) == 5
    for asked, values in [
        ({"age": "30..42"}, ("30", "36", "42")),
        ({"age": (30, 31)}, ("30.00", "30.50", "31.00")),
        ({"age": "50,30"}, ("50", "30")),
        ({"gender": None}, ("female", "male")),
        ({"gender": "male,female"}, ("male", "female")),
    ]:
        (axis,) = axes(asked, fitted, 3)
        assert axis.values == values


def test_two_axes_are_a_table() -> None:
    fitted = attribute_map(ffgan.load())
    found = axes({"age": "30,40,50", "yaw": "-10,10"}, fitted)
    asked = cells(found, Constraints.of({"smile": 0.5}, {"brightness": 3}))
    assert [[one.text() for one in row] for row in asked] == [
        [{"age": age, "yaw": yaw, "smile": "0.5"} for age in ("30", "40", "50")]
        for yaw in ("-10", "10")
    ]
    assert asked[0][0].changes_text() == {"brightness": "+3"}


@pytest.mark.parametrize(
    ("vary", "steps", "message"),
    [
        ({}, 7, "one or two attributes"),
        ({"age": None, "yaw": None, "smile": None}, 7, "one or two attributes"),
        ({"age": None}, 1, "steps is 1"),
        ({"agee": None}, 7, "did you mean 'age'?"),
        ({"age": "40"}, 7, "give a range to vary it in"),
        ({"age": "40,50..60"}, 7, "is beyond|give a range to vary it in"),
        ({"age": "10..900"}, 7, "is beyond what this model can do"),
        ({"gender": "male"}, 7, "give a range to vary it in|or several values"),
    ],
)
def test_bad_axes_are_refused(vary: dict[str, object], steps: int, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        axes(vary, attribute_map(ffgan.load()), steps)


def test_all_faces_of_a_strip_are_of_one_draw() -> None:
    model = ffgan.load()
    free = model.face(4)
    found = strip(model, free, {"yaw": "-10,10"})
    (left, right) = found.faces[0]
    assert left.reached and right.reached
    assert left.attributes["yaw"] == pytest.approx(-10, abs=3)
    assert right.attributes["yaw"] == pytest.approx(10, abs=3)
    for one in (left, right):
        assert one.tries == free.tries
        # A move from the free face, not another one: two draws are about 14 apart.
        assert np.linalg.norm(one.latent - free.latent) < 7
