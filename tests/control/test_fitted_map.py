# SPDX-License-Identifier: GPL-3.0-or-later
"""The fitted attributes in a model file: the same after a round trip, and never trusted."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ffgan.control.fitted_map import AttributeMap
from ffgan.control.moves import Mover
from ffgan.errors import ModelError


def made() -> AttributeMap:
    draws = np.random.default_rng(0)
    quadratic = draws.normal(size=(3, 4, 4)) / 10
    return AttributeMap(
        "0" * 64,
        ("age", "male", "yaw"),
        mean=np.array([30.0, -1.0, 0.5]),
        deviation=np.array([11.0, 4.0, 9.0]),
        constant=draws.normal(size=3),
        linear=draws.normal(size=(3, 100)),
        directions=draws.normal(size=(4, 100)),
        quadratic=quadratic + quadratic.transpose(0, 2, 1),
        identity=draws.normal(size=(5, 100)),
        low=np.array([12.0, 0.0, -20.0]),
        high=np.array([60.0, 1.0, 20.0]),
        linear_fit=np.array([0.6, 0.8, 0.8]),
        fit=np.array([0.7, 0.9, 0.9]),
        samples=6000,
    )


def test_a_map_predicts_the_same_after_it_was_written_and_read() -> None:
    before = made()
    after = AttributeMap.decode(before.encode(), "a.safetensors")
    assert after.columns == before.columns
    assert after.limits == {"age": (12, 60), "male": (0, 1), "yaw": (-20, 20)}
    latents = np.random.default_rng(1).normal(size=(8, 100))
    assert after.predict(latents) == pytest.approx(before.predict(latents), abs=0.2)
    # Written a second time it is the same: float16 has been rounded to already.
    assert AttributeMap.decode(after.encode(), "a").encode() == after.encode()


def test_the_derivative_is_that_of_the_prediction() -> None:
    fitted = made()
    latent, move = np.random.default_rng(2).normal(size=(2, 100))
    step = 1e-6 * move
    difference = (fitted.predict(latent + step) - fitted.predict(latent - step)) / 2e-6
    assert fitted.jacobian(latent) @ move == pytest.approx(difference, rel=1e-6)


def test_a_probability_is_worked_with_as_its_logit() -> None:
    fitted = made()
    values = np.array([41.0, 0.5, 0.5])
    assert fitted.standardised(values) == pytest.approx([1.0, 0.25, 0.0])
    certain = fitted.standardised(np.array([41.0, 1.0, 0.5]))
    assert np.isfinite(certain).all()


def test_what_a_newer_version_knows_more_is_left_out() -> None:
    content = json.loads(made().encode())
    content["columns"][1] = "freckles"
    fitted = AttributeMap.decode(json.dumps(content), "a.safetensors")
    assert fitted.columns == ("age", "yaw")
    assert fitted.linear == pytest.approx(made().linear[[0, 2]], rel=1e-2)


def packed(values: Any) -> str:
    return base64.b64encode(np.asarray(values, "<f2").tobytes()).decode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format '2', this version reads 1: update ffgan, or fit them again"),
        ({"format": None}, "format 'None'"),
        ({"columns": []}, "'columns' is no list of 1 to 64 names"),
        ({"columns": ["age", "age", "yaw"]}, "names one twice"),
        ({"columns": ["age", "../x", "yaw"]}, "one that is no name"),
        ({"columns": ["a", "b", "c"]}, "this version knows none of its attributes"),
        ({"generator": "0" * 63}, "'generator' is no SHA-256"),
        ({"mean": [1.0, 2.0]}, "'mean' is no list of 3 numbers"),
        ({"mean": [1.0, 2.0, True]}, "'mean' has 'True'"),
        ({"mean": [1.0, 2.0, 1e300]}, "'mean' has '1e+300'"),
        ({"deviation": [1.0, 0.0, 1.0]}, "'deviation' has one below 1e-06"),
        ({"deviation": [1.0, 1e-320, 1.0]}, "'deviation' has one below 1e-06"),
        ({"low": [99.0, 0.0, 0.0]}, "'low' is above 'high'"),
        ({"linear": "?"}, "'linear' is not base64"),
        ({"linear": 7}, "'linear' is no text"),
        ({"linear": packed(np.zeros(299))}, "'linear' has 598 bytes, not those of (3, 100)"),
        ({"linear": packed(np.full(300, np.nan))}, "'linear' is not finite"),
        ({"quadratic": packed(np.zeros(31))}, "'quadratic' has 62 bytes"),
        ({"directions": packed(np.zeros(150))}, "'directions' has 300 bytes"),
        ({"identity": packed(np.zeros(10_100))}, "'identity' has 101 directions, more than 100"),
        ({"samples": 0}, "'samples' is not a whole number"),
    ],
)
def test_a_hostile_map_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    content = json.loads(made().encode()) | change
    with pytest.raises(ModelError) as caught:
        AttributeMap.decode(json.dumps(content), "a.safetensors")
    assert message in str(caught.value)
    assert str(caught.value).startswith("a.safetensors: its fitted attributes ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(json.loads(made().encode())))
def test_each_part_of_a_map_has_to_be_there(name: str) -> None:
    content = json.loads(made().encode())
    del content[name]
    with pytest.raises(ModelError, match="format 'None'" if name == "format" else "is missing"):
        AttributeMap.decode(json.dumps(content), "a.safetensors")


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", "[" * 100_000, '{"format": NaN}', "x" * 600_000]
)
def test_other_text_is_no_map(text: str) -> None:
    with pytest.raises(ModelError, match="its fitted attributes are"):
        AttributeMap.decode(text, "a.safetensors")


def test_numbers_that_no_fit_gives_are_refused_when_they_move_a_face() -> None:
    numbers = {"linear": (3, 100), "directions": (4, 100), "quadratic": (3, 4, 4)}
    largest = {name: np.full(shape, 65504.0) for name, shape in numbers.items()}
    fitted = AttributeMap.decode(replace(made(), **largest).encode(), "a.safetensors")
    mover = Mover(fitted, np.ones(100), [0], np.ones(1))
    with pytest.raises(ModelError, match="lead to no move: fit them again"):
        mover.step(np.ones(100), np.zeros(1))
