# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of a face, in Python, as text, and what becomes of it for one seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffgan.control import Constraints
from ffgan.errors import UsageError

LIMITS = {"age": (10.0, 55.0), "yaw": (-35.0, 35.0), "male": (0.0, 1.0), "skin_tone": (-40.0, 70.0)}


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"age": 60}, {"age": "60"}),
        ({"age": np.float32(31.5)}, {"age": "31.5"}),
        ({"yaw": (-20, 20)}, {"yaw": "-20..20"}),
        ({"yaw": "-20..20"}, {"yaw": "-20..20"}),
        ({"yaw": " -20 .. 20 "}, {"yaw": "-20..20"}),
        ({"age": "60.."}, {"age": "60.."}),
        ({"age": "..20"}, {"age": "..20"}),
        ({"age": "20..20"}, {"age": "20"}),
        ({"age": (20, 20)}, {"age": "20"}),
        ({"yaw": -0.0}, {"yaw": "0"}),
        ({"age": [20, (30, 40), "50.."]}, {"age": "20,30..40,50.."}),
        ({"gender": "male"}, {"gender": "male"}),
        ({"gender": {"male", "female"}}, {"gender": "female,male"}),
        ({"tone": "very light,dark"}, {"tone": "very light,dark"}),
        # In the table's order, so that the same wishes are the same constraints.
        ({"yaw": 5, "age": 60}, {"age": "60", "yaw": "5"}),
    ],
)
def test_values_ranges_and_sets_are_taken_from_python_and_from_text(
    asked: dict[str, Any], text: dict[str, str]
) -> None:
    wanted = Constraints.of(asked)
    assert wanted.text() == text
    assert list(wanted.text()) == list(text)
    again = Constraints.parse(f"{name}={value}" for name, value in text.items())
    assert again == wanted
    assert hash(again) == hash(wanted)


@given(st.floats(-1e6, 1e6))
def test_a_number_is_the_one_that_its_text_says(number: float) -> None:
    wanted = Constraints.of({"age": number})
    assert Constraints.of(wanted.text()) == wanted


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"agee": 3}, "unknown attribute 'agee'; did you mean 'age'?"),
        ({"gender": "mail"}, "did you mean 'male'?"),
        ({"gender": 1}, "gender 1: give one of female, male"),
        ({"age": "old"}, "age 'old' is not a number: give one, or a range such as 20..60 (how"),
        ({"age": "60-70"}, "age '60-70' is not a number: a range is 60..70"),
        ({"yaw": "-20 to -5"}, "yaw '-20 to -5' is not a number: a range is -20..-5"),
        ({"smile": "80%"}, "smile '80%' is not a number: give 0.8"),
        ({"yaw": "80%"}, "yaw '80%' is not a number: give one, or a range such as -15..15"),
        ({"age": ""}, "age '' is not a number"),
        ({"age": "20,,30"}, "age '' is not a number"),
        ({"age": ".."}, "age ..: a range has an end, such as 20.. or ..60"),
        ({"age": math.nan}, "age nan is not a number of age"),
        ({"age": "nan"}, "age 'nan' is not a number"),
        ({"age": "1e400"}, "age '1e400' is not a number of age"),
        ({"age": True}, "age True is not a number of age"),
        ({"age": None}, "age None is not a number of age"),
        ({"age": (60, 40)}, "age 60..40: the range ends below its start: give 40..60"),
        ({"age": "60..40"}, "age 60..40: the range ends below its start: give 40..60"),
        ({"age": (1, 2, 3)}, "age (1, 2, 3): a range is (low, high)"),
        ({"age": []}, "age: give 1 to 100 values, not 0"),
        ({"age": ["3"] * 101}, "age: give 1 to 100 values, not 101"),
        ({"tone": "dark", "skin_tone": 3}, "skin_tone and tone are one measurement"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Constraints.of(asked)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_texts_name_what_is_wrong_with_them() -> None:
    for texts, message in [
        (["age"], "'age': give NAME=VALUE"),
        (["=3"], "'=3': give NAME=VALUE"),
        (["age="], "'age=': give NAME=VALUE"),
        (["age=20", "age=60"], "age is given twice: give one value, or several as age=A,B"),
    ]:
        with pytest.raises(UsageError) as refused:
            Constraints.parse(texts)
        assert message in str(refused.value)
    with pytest.raises(UsageError, match="age: give a value or a change, not both"):
        Constraints.parse(["age=20"], ["age=10"])
    with pytest.raises(UsageError, match="gender cannot be changed by an amount"):
        Constraints.parse([], ["gender=1"])


def one(asked: dict[str, Any], free: float, seed: int = 7) -> tuple[float, float, float]:
    wanted = Constraints.of(asked)
    (column,) = wanted.columns
    return tuple(wanted.targets(seed, {column: free}, LIMITS)[column])  # type: ignore[return-value]


def test_a_value_is_reached_within_its_tolerance() -> None:
    assert one({"age": 40}, 25) == (37, 43, 40)
    assert one({"yaw": -10}, 3) == (-13, -7, -10)


def test_a_face_inside_a_range_stays_and_others_are_spread_over_it() -> None:
    assert one({"yaw": (-20, 20)}, 11.5) == (-20, 20, 11.5)
    aims = np.array([one({"yaw": (-20, 20)}, 33, seed)[2] for seed in range(400)])
    assert aims.min() >= -20
    assert aims.max() <= 20
    counts, _ = np.histogram(aims, 4, (-20, 20))
    assert counts.min() > 70  # 100 each, with a deviation of 9
    assert one({"yaw": (-20, 20)}, 33, 5) == one({"yaw": (-20, 20)}, 34, 5)


def test_the_seed_picks_one_of_several() -> None:
    ages = [one({"age": [20, 50]}, 25, seed)[2] for seed in range(200)]
    assert set(ages) == {20, 50}
    assert 70 < ages.count(20) < 130
    words = Constraints.of({"gender": "female,male"})
    low = [words.targets(s, {"male": 0.4}, LIMITS)["male"].low for s in range(200)]
    assert 70 < low.count(-math.inf) < 130


def test_another_attribute_changes_nothing_in_what_the_seed_draws() -> None:
    free = {"age": 20.0, "yaw": 30.0}
    alone = Constraints.of({"yaw": (-9, 9)}).targets(3, free, LIMITS)
    both = Constraints.of({"yaw": (-9, 9), "age": (40, 50)}).targets(3, free, LIMITS)
    assert both["yaw"] == alone["yaw"]


def test_an_open_range_ends_where_the_model_does() -> None:
    low, high, aim = one({"age": "40.."}, 20)
    assert (low, high) == (40, math.inf)
    assert 40 <= aim <= 55
    assert one({"age": "..20"}, 12) == (-math.inf, 20, 12)


def test_a_face_beyond_what_can_be_asked_is_inside_an_open_range_and_an_outer_choice() -> None:
    assert one({"age": "40.."}, 61) == (40, math.inf, 61)
    assert one({"age": "..20"}, 3) == (-math.inf, 20, 3)
    assert one({"tone": "dark"}, -80) == (-math.inf, -30, -80)
    assert one({"tone": "very light"}, 99) == (55, math.inf, 99)
    assert 40 <= one({"age": "40.."}, math.nan)[2] <= 55


def test_a_choice_is_aimed_at_away_from_its_bounds() -> None:
    low, high, aim = one({"gender": "male"}, 0.51)
    assert (low, high) == (0.5, math.inf)
    assert 0.9 <= aim <= 1
    assert one({"gender": "male"}, 0.9) == (0.5, math.inf, 0.9)
    low, high, aim = one({"tone": "tan"}, 60)
    assert (low, high) == (10, 28)
    assert 14.5 <= aim <= 23.5


def test_a_change_is_from_the_face_without_constraints() -> None:
    wanted = Constraints.parse([], ["age=+10", "yaw=-5"])
    assert wanted.changes_text() == {"age": "+10", "yaw": "-5"}
    assert wanted.text() == {}
    targets = wanted.targets(1, {"age": 31.0, "yaw": 2.0}, LIMITS)
    assert targets["age"].aim == 41
    assert targets["yaw"].aim == -3
    assert wanted.targets(1, {"age": 50.0, "yaw": 2.0}, LIMITS)["age"].aim == 60


def test_what_is_beyond_the_model_is_refused_with_what_it_can() -> None:
    Constraints.of({"age": [12, "40.."], "gender": "male", "tone": "dark,very light"}).check(LIMITS)
    for asked, message in [
        ({"age": 90}, "age 90 is beyond what this model can do: give 10 to 55 years"),
        ({"age": (40, 70)}, "age 40..70 is beyond what this model can do: give 10 to 55 years"),
        ({"age": "60.."}, "age 60.. is beyond what this model can do: give 10 to 55 years"),
        ({"age": [20, 70]}, "age 70 is beyond"),
        ({"yaw": -50}, "yaw -50 is beyond what this model can do: give -35 to 35 degrees"),
    ]:
        with pytest.raises(UsageError) as refused:
            Constraints.of(asked).check(LIMITS)  # type: ignore[arg-type]
        assert message in str(refused.value)
    with pytest.raises(UsageError, match="tone very light is beyond"):
        Constraints.of({"tone": "very light"}).check({"skin_tone": (-40.0, 50.0)})
