# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared of the settings of training; how settings work is in tests/test_settings.py."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from ffgan import _core
from ffgan.errors import UsageError
from ffgan.training.settings import Settings

RANGES = {
    "above 0 and up to 1000000000": "epochs minutes checkpoint_minutes",
    "above 0 and below 1": "learning_rate_g learning_rate_d",
    "from 0 to below 1": "beta1 beta2 ema dropout",
    "from 0 to 0.5": "label_smoothing",
    "from 0 to 1": "anchor_share augment_share smooth_upsampling projected_details",
    "from 0 to 4": "anchor_skip",
    "from 0 to 16": "blur",
    "from 0 to 64": "identity_codes",
    "from 0 to 162": "translation cutout",
    "from 0 to 1e+06": "adversarial_weight texture_weight chroma_weight grid_weight anchor_weight "
    "gradient_penalty projected_weight projected_penalty imagenet_weight identity_weight "
    "matching_weight frechet_weight perceptual_weight border_weight spectrum_weight",
    f"from 0 to {2**64 - 1}": "seed",
    "from 1 to 256": "workers",
    "from 1 to 1024": "threads",
    "from 2 to 4096": "batch warm_start_batch",
    "from 16 to 100000": "evaluate_samples",
    "0 or more": "warm_start discriminator_warmup blur_steps evaluate_every",
    "1 or more": "steps log_every sample_every checkpoint_every keep_checkpoints",
    "program or table": "discriminator",
    "logistic, hinge or relativistic": "loss",
    "batch or fixed": "discriminator_norm",
    "crop or stretch": "fit",
}


def test_the_ranges() -> None:
    about = Settings.about()
    for values, names in RANGES.items():
        assert {about[name].values for name in names.split()} == {values}
    tested = {name for names in RANGES.values() for name in names.split()}
    numbers = {name for name, setting in about.items() if setting.type in (int, float)}
    # A loss that was added since has a weight like the others.
    assert {name for name in numbers - tested if not name.endswith("_weight")} == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("augment", "colour,blur"),
        ("augment", ""),
        ("init", "fresh"),
        ("init", "model:"),
        ("init", "scratch:x"),
        ("name", "a/b"),
        ("name", ".."),
        ("name", ""),
    ],
)
def test_text_of_the_wrong_form_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"^--{name} must be .*, not '{value}'$"):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_text_of_the_right_form() -> None:
    for init in ("resume", "model", "model:x", "model:c:/x", "scratch"):
        assert Settings(init=init).init == init


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gradient_penalty": 0.1}, "--gradient-penalty needs --discriminator-norm fixed"),
        ({"projected_weight": 1}, "--projected-weight needs --discriminator-norm fixed"),
        ({"imagenet_weight": 1}, "--imagenet-weight needs --discriminator-norm fixed"),
        ({"loss": "relativistic"}, "--loss relativistic needs --discriminator-norm fixed"),
        (
            {"loss": "hinge", "discriminator_norm": "fixed"},
            "--loss hinge needs --discriminator-norm batch",
        ),
        ({"projected_details": 0.5}, "--projected-details needs --projected-weight$"),
        ({"identity_weight": 1}, "--identity-weight needs --projected-weight$"),
        ({"matching_weight": 1}, "needs --projected-weight or --imagenet-weight"),
        ({"frechet_weight": 1}, "needs --projected-weight or --imagenet-weight"),
        ({"perceptual_weight": 1}, "needs --projected-weight or --imagenet-weight"),
        (
            {"perceptual_weight": 1, "projected_weight": 1, "discriminator_norm": "fixed"},
            "--perceptual-weight needs --anchor-weight",
        ),
        ({"identity_codes": 10}, "--identity-codes needs --warm-start or --anchor-weight"),
        ({"codes": "a.npz"}, "--codes needs --warm-start or --anchor-weight"),
        (
            {"codes": "a.npz", "identity_codes": 10, "anchor_weight": 1.0},
            "--codes takes the place of --identity-codes: leave one of them out",
        ),
        ({"evaluate_every": 10}, "give --heldout DIR"),
    ],
)
def test_settings_that_exclude_each_other_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**settings)


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


def test_the_marks_are_known_ones() -> None:
    for about in Settings.about().values():
        assert about.marks.keys() <= {"life", "publish", "home", "needs"}
        assert about.marks.get("life") in (None, "start", "limit", "fixed")
        assert about.marks.get("home") in (None, "trainer")
        assert about.marks.get("needs") in (None, "warm_start")
        assert about.group in Settings.groups
    assert Settings.names(life="limit") == ("steps", "epochs", "minutes")
    assert Settings.names(life="start") == ("runs", "name", "init")


def test_no_path_and_no_name_is_published() -> None:
    published = Settings().published()
    assert "recipe" in published and "batch" in published
    private = {name for name, about in Settings.about().items() if about.path}
    assert private >= {"runs", "heldout", "recognition", "cache"}
    assert not published.keys() & (private | {"name", "init"})


def test_the_core_agrees_on_what_it_is_handed() -> None:
    theirs = _core.trainer_settings()
    ours = Settings.names(home="trainer")
    # These are made from settings; see trainer.py.
    assert theirs.keys() - set(ours) == {
        "colour",
        "translation",
        "cutout",
        "recognition",
        "imagenet",
    }
    for name in ours:
        assert theirs[name] == Settings.about()[name].default, name
    # All at once, by the C++ checks too.
    _core.Trainer(**{name: Settings.about()[name].default for name in ours})


def test_every_loss_of_the_core_has_a_weight() -> None:
    for loss in _core.generator_losses():
        about = Settings.about()[loss["setting"]]
        assert (about.default, about.help) == (loss["default"], loss["help"])
        assert about.marks["home"] == "trainer"


def test_settings_are_kept_as_json() -> None:
    stored = json.loads(json.dumps(Settings(batch=8, epochs=2).model_dump()))
    assert Settings(**stored) == Settings(batch=8, epochs=2)
    assert not any(isinstance(v, float) and math.isinf(v) for v in stored.values())
