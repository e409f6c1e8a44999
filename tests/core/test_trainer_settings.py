# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainer's settings by name, and the losses that plug in."""

from __future__ import annotations

import numpy as np
import pytest

from ffgan import _core
from ffgan._core import _testing

LOSSES = [loss["name"] for loss in _core.generator_losses()]


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(TypeError, match="no setting 'chroma_wait'"):
        _core.Trainer(seed=1, chroma_wait=12.0)
    with pytest.raises(TypeError):
        _core.Trainer("program")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("chroma_weight", "12", "float, not str"),
        ("dropout", None, "float, not NoneType"),
        ("joint_update", 1, "bool, not int"),
        ("translation", 2.5, "int, not float"),
        ("seed", -1, "int of 0 or more, not int"),
        ("loss", 3, "str, not int"),
        ("imagenet", "weights", "a dict of arrays, not str"),
    ],
)
def test_a_setting_of_the_wrong_type_is_named(setting: str, value: object, wanted: str) -> None:
    with pytest.raises(TypeError, match=f"{setting} must be {wanted}"):
        _core.Trainer(**{setting: value})


def test_integers_pass_as_floats() -> None:
    step = [_core.Trainer(seed=1, dropout=zero).state()["counters.steps"] for zero in (0, 0.0)]
    assert step[0] == step[1] == 0


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_setting_that_is_off(name: str) -> None:
    loss = next(loss for loss in _core.generator_losses() if loss["name"] == name)
    assert loss["setting"] == f"{name}_weight"
    assert _core.trainer_settings()[loss["setting"]] == loss["default"] == 0.0
    assert all(loss[key] for key in ("measure", "help", "title", "unit"))  # type: ignore[literal-required]
    with pytest.raises(ValueError, match=f"{name}_weight is below 0"):
        _core.Trainer(**{loss["setting"]: -1.0})


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_measured_and_taught(name: str) -> None:
    loss = next(loss for loss in _core.generator_losses() if loss["name"] == name)
    trainer = _core.Trainer(seed=1, adversarial_weight=0.0, **{loss["setting"]: 1.0})
    draw = np.random.default_rng(0)
    real = np.full((2, 162, 162, 3), 128, np.uint8)
    before = trainer.parameters("generator")
    measures = trainer.step(real, draw.standard_normal((2, 100)).astype(np.float32), anchored=2)
    assert np.isfinite(measures[loss["measure"]])
    assert measures[loss["measure"]] > 0  # noise is not grey
    after = trainer.parameters("generator")
    assert any(not np.array_equal(before[key], after[key]) for key in before)


def test_a_loss_for_itself_is_that_of_the_trainer() -> None:
    draw = np.random.default_rng(1)
    fakes = draw.random((2, 3, 162, 162), dtype=np.float32)
    real = draw.integers(0, 256, (2, 162, 162, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(real.transpose(0, 3, 1, 2) / 255, np.float32)
    expected = _testing.chroma_detail(fakes)[0] - _testing.chroma_detail(planes)[0]
    assert _testing.generator_loss("chroma", fakes, real)[0] == pytest.approx(expected, rel=1e-4)
    measure, gradient = _testing.generator_loss("anchor", fakes, real, anchored=1)
    assert gradient.shape == (1, 3, 162, 162)
    assert _testing.generator_loss("anchor", fakes, real)[0] == 0
    expected = _testing.pyramid_loss(fakes[:1], planes[:1])[0]
    assert measure == pytest.approx(expected, rel=1e-5)


def test_which_adversarial_loss_goes_with_which_norm() -> None:
    norms = _core.adversarial_losses()
    assert norms == {
        "logistic": ("batch", "fixed"),
        "hinge": ("batch",),
        "relativistic": ("fixed",),
    }
    for loss, its in norms.items():
        for norm in ("batch", "fixed"):
            settings = {"loss": loss, "discriminator_norm": norm}
            if norm in its:
                _core.Trainer(**settings)
            else:
                with pytest.raises(ValueError, match=f"{loss} needs"):
                    _core.Trainer(**settings)


def test_more_anchored_images_than_there_are_are_refused() -> None:
    trainer = _core.Trainer(seed=1, anchor_weight=1.0)
    real, latents = np.zeros((2, 162, 162, 3), np.uint8), np.zeros((2, 100), np.float32)
    for anchored in (-1, 3):
        with pytest.raises(ValueError, match="anchored"):
            trainer.step(real, latents, anchored=anchored)
    with pytest.raises(ValueError, match="anchor_skip is not from 0 to 4"):
        _core.Trainer(anchor_weight=1.0, anchor_skip=5)
