# SPDX-License-Identifier: GPL-3.0-or-later
"""Invented people: lazily, the same for a seed, apart from each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import ffgan
from ffgan.control import Constraints, Identities, people
from ffgan.errors import Error, UsageError
from ffgan.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return ffgan.load()


@pytest.mark.slow
def test_the_first_pictures_are_the_same_however_many_are_asked_for(model: Model) -> None:
    few = list(ffgan.identities(1, 2, seed=20, model=model))
    more = list(itertools.islice(ffgan.identities(1, 3, seed=20, model=model), 2))
    for one, other in zip(few, more, strict=True):
        np.testing.assert_array_equal(one.face.image, other.face.image)
        assert one.attempts == other.attempts
    assert [one.number for one in few] == [0, 1]
    np.testing.assert_array_equal(few[0].face.image, model.face(20).image)
    assert few[1].kept and few[1].farthest < 0.6


def test_pictures_that_would_be_one_are_refused(model: Model) -> None:
    with pytest.raises(UsageError, match="nothing is varied: give at least one attribute"):
        ffgan.identities(1, 2, model=model, vary=())


@pytest.mark.slow
def test_only_what_is_asked_for_varies(model: Model) -> None:
    first, *others = ffgan.identities(1, 4, seed=2, model=model, vary=["yaw"])
    yaws = [one.attributes["yaw"] for one in others]
    assert np.ptp(yaws) > 4
    smiles = [one.attributes["smile"] - first.attributes["smile"] for one in others]
    assert np.abs(smiles).max() < 0.35


@pytest.mark.slow
def test_people_have_what_is_asked_of_them(model: Model) -> None:
    drawn = Identities(model, 0, Constraints.of({"brightness": (60, 70)}), vary=["yaw"])
    person = drawn.person()
    [first] = drawn.pictures(person, 1)
    assert 60 <= first.attributes["brightness"] <= 70


def test_seeds_that_are_too_near_are_passed_over(model: Model) -> None:
    drawn = Identities(model, 138)  # 139 looks much like it, and 140 somewhat
    first, second = drawn.person(), drawn.person()
    assert (first.seed, first.rejected) == (138, 0)
    assert second.rejected == second.seed - 139 > 0
    assert np.linalg.norm(first.embedding - second.embedding) >= 0.6
    near = Identities(model, 138, min_distance=0.4)
    assert [near.person().seed for _ in range(2)] == [138, 139]


@pytest.mark.slow
def test_pictures_keep_away_from_the_other_people(model: Model) -> None:
    drawn = Identities(model, 138, min_distance=0.4)
    first, second = drawn.person(), drawn.person()
    for picture in drawn.pictures(first, 3):
        apart = np.linalg.norm(picture.embedding - second.embedding)
        assert picture.nearest == pytest.approx(float(apart), abs=1e-4)
        assert picture.kept and apart >= 0.4


def test_where_there_is_no_room_it_ends(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST_DRAWS", 2)
    drawn = Identities(model, 0, min_distance=2)
    drawn.person()
    with pytest.raises(Error, match="1 people were found, and of 2 more seeds none is 2 away"):
        drawn.person()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"people": 0}, "people is 0"),
        ({"images": 0}, "images is 0"),
        ({"images": True}, "images is True"),
        ({"min_distance": -1}, "min_distance is -1"),
        ({"max_distance": float("nan")}, "max_distance is nan"),
        ({"vary": ["yaww"]}, "did you mean 'yaw'?"),
        ({"vary": ["gender"]}, "gender cannot be varied"),
        ({"vary": ["yaw"], "yaw": 3}, "yaw is varied and asked for"),
        ({"agee": 3}, "did you mean 'age'?"),
    ],
)
def test_bad_input_is_refused_before_anything_is_drawn(
    arguments: dict[str, object], message: str, model: Model
) -> None:
    with pytest.raises(UsageError) as refused:
        ffgan.identities(**{"people": 2, "seed": 0, "model": model, **arguments})  # type: ignore[arg-type]
    assert message in str(refused.value)
