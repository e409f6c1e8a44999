# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's trainer is made of."""

from __future__ import annotations

from typing import Any

import pytest
from support.training import (
    SHORT,
    SmallTrainer,
)

from ffgan import _core
from ffgan.training import Settings, make_trainer, train


def test_augmentation_is_passed_on_as_asked(small, faces) -> None:
    made: list[dict[str, Any]] = []

    class Noting(SmallTrainer):
        def __init__(self, **settings: Any) -> None:
            made.append(settings)
            super().__init__(**settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ffgan._core.Trainer", Noting)
        for name in ("none", "all", "colour", "translation,cutout"):
            train(faces, **SHORT, name=name, augment=name, translation=5, cutout=20)
    assert [(m["colour"], m["translation"], m["cutout"]) for m in made] == [
        (False, 0, 0),
        (True, 5, 20),
        (True, 0, 0),
        (False, 5, 20),
    ]


def test_the_small_trainer_of_the_tests_has_the_methods_of_the_real_one() -> None:
    methods = {name for name, value in vars(SmallTrainer).items() if callable(value)}
    assert {name for name in methods if not name.startswith("_")} <= set(dir(_core.Trainer))


def test_every_setting_of_the_trainer_arrives(small) -> None:
    settings = Settings(learning_rate_g=0.125, grid_weight=3, loss="hinge", seed=7)
    trainer = make_trainer(settings)
    handed = {**trainer.settings, "seed": 7}
    for name in Settings.names(home="trainer"):
        assert handed[name] == getattr(settings, name)
    assert "recognition" not in handed and "imagenet" not in handed
