# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of conditions: what it computes, and all that it does not."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from ffgan.errors import UsageError
from ffgan.synthesis.where import Where

FACE = {"age": 30.0, "yaw": -12.0, "gender": "female", "tone": "tan", "smile": 0.5, "score": 2.0}


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("age >= 20 and abs(yaw) < 15", True),
        ("age >= 20 and abs(yaw) < 12", False),
        ("20 <= age < 30", False),
        ("gender == 'female' and tone in ('tan', \"brown\")", True),
        ("not (gender == 'female' or age > 50)", False),
        ("tone not in ['dark']", True),
        ("max(age, -yaw, 40) == 40 and min(age, 3) == 3", True),
        ("(age - 2 * 5) / 4 == +5", True),
        ("score > 1.5", True),
        ("age / (age - 30) > 0", False),  # what cannot be computed of a face
        ("  age\n>\n29 ", True),
    ],
)
def test_what_is_accepted(text: str, accepted: bool) -> None:
    assert Where(text).accepts(FACE) is accepted


@pytest.mark.parametrize("value", [math.nan, None, ""])
def test_what_could_not_be_measured_is_as_asked_in_no_way(value: Any) -> None:
    for text in ("age > 20", "not age > 20", "age != 3 or yaw < 0"):
        assert not Where(text).accepts({**FACE, "age": value})
    assert Where("yaw < 0").accepts({**FACE, "age": value})


def test_the_attributes_that_have_to_be_measured() -> None:
    assert Where("yaw < 0 and score > 1 and abs(age) > 3").attributes == ("age", "yaw")


def test_a_condition_goes_to_other_processes() -> None:
    where = Where("age > 20")
    where.accepts(FACE)
    again = pickle.loads(pickle.dumps(where))
    assert again == where and again.accepts(FACE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "give one expression"),
        ("age >", "it is not an expression"),
        ("age > 1; yaw", "give one expression"),
        ("x := 1", "it is not an expression"),
        ("age = 3", "Assign is not part"),
        ("__import__('os').system('true')", "its functions are abs, min, max"),
        ("age.__class__", "Attribute is not part"),
        ("().__class__.__bases__[0]", "is not part"),
        ("[x for x in (1, 2)]", "ListComp is not part"),
        ("(lambda: 1)()", "its functions are"),
        ("9 ** 9 ** 9", "Pow is not part"),
        ("1 << 99", "LShift is not part"),
        ("f'{age}'", "JoinedStr is not part"),
        ("max(age, key=abs)", "its functions are"),
        ("age if yaw else 1", "IfExp is not part"),
        ("age == b'x'", "neither a number nor a word"),
        ("age == ...", "neither a number nor a word"),
        ("'a' * 1000000000 == 'b'", "cannot be computed"),
        ("'age > 3", "not an expression"),
        ("\x00age", "not an expression"),
        ("(" * 400 + "age" + ")" * 400, "cannot be computed"),
        ("-" * 900 + "age > 0", "cannot be computed"),
        ("age > 0" + " " * 3 + "and age > 0" * 100, "at most 1000 characters"),
        ("age > 'x'", "\"'x'\" is no number"),
        ("age == gender", "'gender' is no number"),
        ("gender == 1", "'1' is no word"),
        ("gender > 'female'", "of two words none is larger"),
        ("gender", "a word is neither true nor false"),
        ("gender in ('female')", "behind in stands a list"),  # true of "male", as letters
        ("gender not in 'female'", "behind in stands a list"),
        ("'m' in gender", "behind in stands a list"),
        ("age in (20, 'old')", "\"'old'\" is no number"),
        ("(age > 20,)", "a list stands only behind in"),
        ("gender + 1 > 2", "cannot be computed"),
        ("agee > 3", "did you mean 'age'?"),
        ("abs > 3", "names 'abs'"),
        ("gender == 'woman'", "give one of female, male; did you mean 'female'?"),
        ("tone in ('tan', 'pink')", "tone 'pink': give one of dark"),
    ],
)
def test_everything_else_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        Where(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
