# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces with what is asked for, from the whole of fit, map and search, on two quick attributes."""

from __future__ import annotations

import copy
import logging

import numpy as np
import pytest

import ffgan
from ffgan import attributes, control
from ffgan.control import Constraints
from ffgan.control.fitted_map import KEY
from ffgan.control.measuring import measured
from ffgan.errors import ModelError, UsageError
from ffgan.model import Model


def test_the_map_predicts_faces_that_it_has_not_seen(small_map: control.AttributeMap) -> None:
    brightness, background = small_map.fit
    assert brightness > 0.7  # 180 faces for 100 numbers; with thousands it is 0.98
    assert background > 0.3
    low, high = small_map.limits["brightness"]
    assert low < 45
    assert high > 65


def test_a_value_that_is_asked_for_is_what_one_measures(mapped: Model) -> None:
    wanted = Constraints.of({"brightness": 62})
    for found in control.faces(mapped, 4, 100, wanted):
        assert found.reached
        assert not found.missed
        table = attributes.measure(found.image[None], ["brightness"])
        assert float(table["brightness"][0]) == pytest.approx(62, abs=4)
        assert found.attributes["brightness"] == table["brightness"][0]
        assert np.array_equal(mapped.render(found.latent[None])[0], found.image)
        assert np.array_equal(found.free.image, mapped.face(found.seed).image)


def test_other_attributes_stay(mapped: Model) -> None:
    changes = []
    wanted = Constraints.of(None, {"brightness": 10})
    for found in control.faces(mapped, 6, 0, wanted, measure_all=True):
        images = np.stack([found.free.image, found.image])
        before, after = attributes.measure(images, ["background"])["background"]
        assert found.attributes["background"] == after
        changes.append(after - before)
    assert abs(np.mean(changes)) < 4  # of 17.5 that it has as standard deviation


def test_faces_are_the_same_alone_and_together(mapped: Model) -> None:
    wanted = Constraints.of({"brightness": (40, 70), "background": [20, 60]})
    together = list(control.faces(mapped, 3, 40, wanted))
    alone = control.face(mapped, 42, wanted)
    assert np.array_equal(together[2].image, alone.image)
    assert np.array_equal(together[2].latent, alone.latent)
    assert together[2].asked == alone.asked


def test_whoever_runs_the_search_gets_the_same_face(mapped: Model) -> None:
    """As the web server runs it: every latent is scored, whether that is needed or not."""
    wanted = Constraints.of({"brightness": 66})
    steps = control.search(
        44, wanted, control.attribute_map(mapped), measured, threshold=mapped.threshold
    )
    latent = next(steps)
    while True:
        image = mapped.render(np.asarray(latent)[None])
        try:
            latent = steps.send((image[0], float(mapped.score(image)[0])))
        except StopIteration as end:
            found = end.value
            break
    alone = control.face(mapped, 44, wanted)
    assert found.steps > 0
    assert np.array_equal(found.latent, alone.latent)
    assert found.score == pytest.approx(alone.score, abs=1e-4)
    assert found.score == pytest.approx(float(mapped.score(found.image[None])[0]), abs=1e-4)


def test_what_a_face_has_already_leaves_it_as_it_is(mapped: Model) -> None:
    found = control.face(mapped, 3, Constraints.of({"brightness": "..75"}))
    assert found.steps == 0
    assert np.array_equal(found.image, mapped.face(3).image)


def test_a_value_that_one_draw_cannot_reach_is_looked_for_in_the_next(mapped: Model) -> None:
    low, high = control.attribute_map(mapped).limits["background"]
    wanted = Constraints.of({"background": high - 1})
    tries = [found.tries for found in control.faces(mapped, 6, 10, wanted) if found.reached]
    assert len(tries) >= 4
    with pytest.raises(UsageError, match=f"background {high + 1:g} is beyond what this model can"):
        control.face(mapped, 1, Constraints.of({"background": high + 1}))
    with pytest.raises(UsageError, match=f"give {low:.0f} to {high:.0f}"):
        control.face(mapped, 1, Constraints.of({"background": (low - 5, high)}))


def test_generate_takes_attributes_as_keywords(
    mapped: Model, caplog: pytest.LogCaptureFixture
) -> None:
    images = ffgan.generate(2, seed=5, model=mapped, brightness=45)
    table = attributes.measure(images, ["brightness"])
    assert table["brightness"] == pytest.approx([45, 45], abs=4)
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        ffgan.generate(1, seed=5, tries=1, model=mapped, change={"brightness": 300})
    assert "seed 5: brightness " in caplog.text


def test_a_change_of_what_is_not_known_is_not_reached_and_ends_at_once(
    packaged: Model, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ffgan.generate(1, seed=129, model=packaged, change={"hair_lightness": 5})
    assert caplog.messages == [
        "seed 129: hair_lightness is not known of the seed's own face, so it cannot stay or change"
    ]


def test_a_held_attribute_is_measured_and_kept(mapped: Model) -> None:
    found = control.face(mapped, 8, Constraints.of({"brightness": 48}), hold=["background"])
    table = attributes.measure(found.free.image[None], ["background"])
    assert found.attributes["background"] == pytest.approx(float(table["background"][0]), abs=5)
    assert found.asked["background"].aim == table["background"][0]
    same = ffgan.generate(1, 8, model=mapped, brightness=48, hold="background")
    np.testing.assert_array_equal(same[0], found.image)


def test_what_cannot_be_asked_is_told(mapped: Model, packaged: Model) -> None:
    with pytest.raises(UsageError, match="age is not among the attributes fitted for this model"):
        control.face(mapped, 1, Constraints.of({"age": 30}))
    with pytest.raises(UsageError, match="unknown attribute 'brigtness'; did you mean"):
        ffgan.generate(1, model=mapped, brigtness=40)
    with pytest.raises(UsageError, match=r"gender is not among .*: give some of brightness"):
        control.face(mapped, 1, Constraints.of({"gender": "male"}))
    with pytest.raises(UsageError, match=r"change \['age'\]: give amounts by name"):
        ffgan.generate(1, model=mapped, change=["age"])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="brightness is asked for and to be held"):
        control.face(mapped, 1, Constraints.of({"brightness": 50}), hold=["brightness"])
    bare = copy.copy(packaged)
    bare.metadata = {k: v for k, v in packaged.metadata.items() if k != KEY}
    with pytest.raises(ModelError, match="no fitted attributes: python -m ffgan fit-attributes"):
        control.face(bare, 1, Constraints.of({"brightness": 50}))


def test_a_map_of_another_generator_is_refused(mapped: Model) -> None:
    other = copy.copy(mapped)
    other.parameters = dict(mapped.parameters)
    other.parameters["generator.conv6.bias"] = other.parameters["generator.conv6.bias"] + 0.1
    other.__dict__.pop("generator_hash", None)
    with pytest.raises(ModelError, match="were fitted for another generator"):
        control.attribute_map(other)


def test_too_few_samples_are_refused(packaged: Model) -> None:
    with pytest.raises(UsageError, match="samples is 10: give a whole number from 200"):
        control.fit(packaged, samples=10)


def test_the_packaged_model_gives_what_the_networks_measure(packaged: Model) -> None:
    wanted = Constraints.of({"age": 48, "gender": "male", "yaw": 12})
    found = control.face(packaged, 7, wanted, measure_distance=True)
    (row,) = attributes.measure(found.image[None], ["age", "gender", "yaw"])
    assert row["age"] == pytest.approx(48, abs=3)
    assert row["gender"] == "male"
    assert row["yaw"] == pytest.approx(12, abs=3)
    assert found.reached
    assert found.distance is not None
    assert 0 < found.distance < 1
