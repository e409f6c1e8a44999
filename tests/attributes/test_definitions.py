# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of attributes: names, ranges and choices."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from ffgan.attributes.definitions import ATTRIBUTES, named
from ffgan.errors import UsageError


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_can_be_shown_and_asked_for(name: str) -> None:
    one = ATTRIBUTES[name]
    assert one.title and one.help and not one.help.endswith(".")
    assert one.low < one.high
    assert 0 < one.tolerance < one.high - one.low
    assert name.isidentifier() and name == name.lower()  # a keyword, an option, a parameter


@pytest.mark.parametrize("name", [name for name, one in ATTRIBUTES.items() if one.kind == "choice"])
def test_choices_share_the_numbers_among_them(name: str) -> None:
    one = ATTRIBUTES[name]
    ranges = [one.range_of(choice) for choice in one.choices]
    assert ranges[0][0] == -math.inf and ranges[-1][1] == math.inf
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ranges))
    assert all(low < high for low, high in ranges)


def test_a_word_that_is_no_choice_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"gender 'mal': give one of female, male; did you mean"):
        ATTRIBUTES["gender"].range_of("mal")


def test_attributes_come_once_and_in_the_tables_order() -> None:
    assert [one.name for one in named(["yaw", "age", "yaw"])] == ["age", "yaw"]
    assert [one.name for one in named("smile")] == ["smile"]
    assert [one.name for one in named()] == list(ATTRIBUTES)


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown attribute 'smlie'; did you mean 'smile'\?"):
        named(["smlie"])
    with pytest.raises(UsageError, match=r"unknown attribute 'xyzzy': give one of age, gender"):
        named(["xyzzy"])
    with pytest.raises(UsageError, match=r"unknown attribute 'sex'; did you mean 'gender'\?"):
        named(["sex"])
    with pytest.raises(UsageError, match=r"hair 'Blond': .*; did you mean 'fair'\?"):
        ATTRIBUTES["hair"].range_of("Blond")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (5, "attributes 5: give names"),
        ([5], "unknown attribute 5: give one of age"),
        ([["age"]], r"unknown attribute \['age'\]: give one of age"),
        (["AGE"], "unknown attribute 'AGE'; did you mean 'age'"),
        (["male"], "unknown attribute 'male'; did you mean 'gender'"),
    ],
)
def test_what_is_no_name_is_refused(names: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        named(names)
