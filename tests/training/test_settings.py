# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked of a training run; how a run that goes on keeps it is in test_training.py."""

from __future__ import annotations

import dataclasses

import pytest

from ffgan.errors import UsageError
from ffgan.training.settings import EVALUATION, FIXED, LIMITS, WHERE, Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch", 1),
        ("batch", 5000),
        ("learning_rate_g", 0.0),
        ("learning_rate_d", float("nan")),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("ema", 1.0),
        ("dropout", 1.0),
        ("label_smoothing", 0.6),
        ("discriminator", "tables"),
        ("loss", "wasserstein"),
        ("fit", "pad"),
        ("augment", "colour,blur"),
        ("augment", ""),
        ("translation", -1),
        ("cutout", 163),
        ("warm_start", -1),
        ("warm_start_batch", 0),
        ("anchor_weight", float("inf")),
        ("anchor_share", 1.1),
        ("anchor_skip", 5),
        ("gradient_penalty", -0.1),
        ("blur", 17.0),
        ("blur_steps", -1),
        ("smooth_upsampling", 1.5),
        ("discriminator_norm", "layer"),
        ("steps", 0),
        ("epochs", 0),
        ("minutes", -5.0),
        ("seed", -1),
        ("seed", 2**64),
        ("threads", 0),
        ("workers", 0),
        ("log_every", 0),
        ("sample_every", 0),
        ("checkpoint_every", 0),
        ("checkpoint_minutes", 0.0),
        ("keep_checkpoints", 0),
        ("evaluate_every", -1),
        ("evaluate_samples", 15),
        ("init", "fresh"),
        ("init", "model:"),
        ("name", "a/b"),
        ("name", ".."),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"^--{name.replace('_', '-')} must be "):
        Settings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"gradient_penalty": 0.1}, "--gradient-penalty needs --discriminator-norm fixed"),
        ({"loss": "relativistic"}, "--loss relativistic needs --discriminator-norm fixed"),
        (
            {"loss": "hinge", "discriminator_norm": "fixed"},
            "--loss hinge needs --discriminator-norm batch",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_named(
    settings: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        Settings(**settings).check_together()  # type: ignore[arg-type]


def test_the_defaults_are_the_originals() -> None:
    settings = Settings()
    assert (settings.batch, settings.beta1, settings.beta2) == (64, 0.5, 0.999)
    assert settings.learning_rate_g == settings.learning_rate_d == 2e-4
    assert (settings.log_every, settings.checkpoint_every) == (100, 1000)
    assert (settings.discriminator, settings.dropout) == ("program", 0.5)


@pytest.mark.parametrize(
    ("augment", "chosen"),
    [
        ("none", set()),
        ("all", {"colour", "translation", "cutout"}),
        ("cutout", {"cutout"}),
        ("colour,translation", {"colour", "translation"}),
    ],
)
def test_augmentations_are_chosen_by_name(augment: str, chosen: set[str]) -> None:
    assert Settings(augment=augment).augmentations == chosen


def test_limits_of_the_ranges_are_allowed() -> None:
    Settings(batch=2, warm_start_batch=4096, label_smoothing=0.5, ema=0.0, dropout=0.0)
    Settings(seed=2**64 - 1, translation=162, cutout=0, init="model:x", steps=1, minutes=0.001)


def test_groups_of_settings_name_settings() -> None:
    names = {field.name for field in dataclasses.fields(Settings)}
    assert {*LIMITS, *WHERE, *FIXED, *EVALUATION} <= names
    assert not set(FIXED) & {*LIMITS, *WHERE, *EVALUATION}
