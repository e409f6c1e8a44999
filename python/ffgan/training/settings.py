# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run can be asked for, and what that means when the run goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from ffgan.errors import CheckpointError, ExtraError, UsageError
from ffgan.latent import MAX_SEED
from ffgan.shapes import IMAGE_SIZE
from ffgan.training.recipes import RECIPES, complete
from ffgan.training.run_folder import Checkpoint, RunFolder

DEFAULT_EPOCHS = 25
DEFAULT_EVALUATE_EVERY = 1000
AUGMENTATIONS = ("colour", "translation", "cutout")

# Whichever of these is reached first ends the run.
LIMITS = ("steps", "epochs", "minutes")
# These belong to one start of the run and are not kept with it.
WHERE = ("runs", "name", "init")
# How it is measured on the way, which changes nothing of the run.
EVALUATION = ("heldout", "evaluate_every", "evaluate_samples")
# A run that goes on with another of these would not be the same run.
FIXED = (
    "recipe",
    "discriminator",
    "batch",
    "loss",
    "joint_update",
    "discriminator_norm",
    "flip",
    "warm_start",
    "warm_start_batch",
    "seed",
    "fit",
)


@dataclass(frozen=True)
class Settings:
    """What a run can be asked for; the command line's options are these names with dashes.

    The defaults are the original's where it has them; `recipe` names other ones for a new run.
    docs/training.md explains each. Raises UsageError naming the option when a value is outside its
    range.
    """

    runs: str = "runs"
    name: str | None = None
    init: str | None = None
    recipe: Literal["original", "warm", "projected"] | None = None
    discriminator: Literal["program", "table"] = "program"
    batch: int = 64
    learning_rate_g: float = 2e-4
    learning_rate_d: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    loss: Literal["logistic", "hinge", "relativistic"] = "logistic"
    discriminator_norm: Literal["batch", "fixed"] = "batch"
    gradient_penalty: float = 0.0
    new_discriminator: bool = False
    adversarial_weight: float = 1.0
    texture_weight: float = 0.0
    chroma_weight: float = 0.0
    grid_weight: float = 0.0
    smooth_upsampling: float = 0.0
    projected_weight: float = 0.0
    projected_penalty: float = 0.1
    projected_details: float = 0.0
    identity_weight: float = 0.0
    matching_weight: float = 0.0
    perceptual_weight: float = 0.0
    recognition: str | None = None
    imagenet_weight: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.5
    ema: float = 0.999
    augment: str = "none"
    translation: int = 12
    cutout: int = 48
    joint_update: bool = False
    flip: bool = False
    warm_start: int = 0
    warm_start_batch: int = 32
    discriminator_warmup: int = 0
    blur: float = 0.0
    blur_steps: int = 0
    anchor_weight: float = 0.0
    anchor_share: float = 0.5
    anchor_skip: int = 0
    identity_codes: int = 0
    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None
    seed: int = 0
    threads: int | None = None
    fit: Literal["crop", "stretch"] = "crop"
    cache: str | None = None
    workers: int = 2
    log_every: int = 100
    sample_every: int = 500
    checkpoint_every: int = 1000
    checkpoint_minutes: float = 10.0
    keep_checkpoints: int = 3
    window: bool = False
    heldout: str | None = None
    evaluate_every: int | None = None
    evaluate_samples: int = 500

    def __post_init__(self) -> None:
        def check(name: str, good: bool, wanted: str) -> None:
            if not good:
                option, value = name.replace("_", "-"), getattr(self, name)
                raise UsageError(f"--{option} must be {wanted}, not {value!r}")

        def within(low: float, high: float, wanted: str, *names: str) -> None:
            for name in names:
                value = getattr(self, name)
                check(name, value is None or low <= value <= high, wanted)

        for name, choices in (
            ("discriminator", ("program", "table")),
            ("loss", ("logistic", "hinge", "relativistic")),
            ("discriminator_norm", ("batch", "fixed")),
            ("fit", ("crop", "stretch")),
        ):
            check(name, getattr(self, name) in choices, " or ".join(choices))
        recipe, init, folder = self.recipe, self.init, self.name
        check("recipe", recipe is None or recipe in RECIPES, " or ".join(RECIPES))
        check(
            "init",
            init in (None, "resume", "model", "scratch")
            or (init.startswith("model:") and init != "model:"),
            "resume, model, model:PATH or scratch",
        )
        check(
            "name",
            folder is None or (folder not in ("", ".", "..") and not set("/\\") & set(folder)),
            "the name of a folder, without slashes",
        )
        check(
            "augment",
            self.augment in ("none", "all") or set(self.augment.split(",")) <= set(AUGMENTATIONS),
            "none, all, or a list such as " + ",".join(AUGMENTATIONS),
        )
        within(2, 4096, "from 2 to 4096", "batch", "warm_start_batch")
        within(1, 1024, "from 1 to 1024", "threads")
        within(1e-9, 0.999999, "above 0 and below 1", "learning_rate_g", "learning_rate_d")
        within(0.0, 0.999999, "from 0 to below 1", "beta1", "beta2", "ema", "dropout")
        within(0.0, 0.5, "from 0 to 0.5", "label_smoothing")
        within(0, IMAGE_SIZE, f"from 0 to {IMAGE_SIZE} pixels", "translation")
        within(0, IMAGE_SIZE, f"from 0 to {IMAGE_SIZE} pixels", "cutout")
        within(0, math.inf, "0 or more", "warm_start", "discriminator_warmup", "blur_steps")
        within(0.0, 16.0, "from 0 to 16 pixels", "blur")
        within(0.0, 1e6, "from 0 to 1000000", "anchor_weight", "gradient_penalty")
        within(0.0, 1e6, "from 0 to 1000000", "adversarial_weight", "texture_weight")
        within(0.0, 1e6, "from 0 to 1000000", "chroma_weight", "grid_weight")
        within(0.0, 1e6, "from 0 to 1000000", "projected_weight", "projected_penalty")
        within(0.0, 1.0, "from 0 to 1", "anchor_share", "smooth_upsampling")
        within(0.0, 1.0, "from 0 to 1", "projected_details")
        within(0.0, 1e6, "from 0 to 1000000", "identity_weight", "matching_weight")
        within(0.0, 1e6, "from 0 to 1000000", "perceptual_weight", "imagenet_weight")
        within(0, 4, "from 0 to 4", "anchor_skip")
        within(0, 64, "from 0 to 64", "identity_codes")
        within(1, math.inf, "1 or more", "steps", "log_every", "sample_every", "checkpoint_every")
        within(1, math.inf, "1 or more", "keep_checkpoints")
        within(0, math.inf, "0 or more", "evaluate_every")
        within(16, 100_000, "from 16 to 100000", "evaluate_samples")
        within(1, 256, "from 1 to 256", "workers")
        within(1e-9, 1e9, "above 0", "epochs", "minutes", "checkpoint_minutes")
        within(0, MAX_SEED, f"from 0 to {MAX_SEED}", "seed")

    def check_together(self) -> None:
        """Raise UsageError for settings that exclude each other."""
        fixed = self.discriminator_norm == "fixed"
        if self.gradient_penalty and not fixed:
            raise UsageError("--gradient-penalty needs --discriminator-norm fixed")
        if self.loss == "relativistic" and not fixed:
            raise UsageError("--loss relativistic needs --discriminator-norm fixed")
        if self.projected_weight and not fixed:
            raise UsageError("--projected-weight needs --discriminator-norm fixed")
        if self.imagenet_weight and not fixed:
            raise UsageError("--imagenet-weight needs --discriminator-norm fixed")
        for name in ("projected_details", "identity_weight"):
            if getattr(self, name) and not self.projected_weight:
                raise UsageError(f"--{name.replace('_', '-')} needs --projected-weight")
        for name in ("matching_weight", "perceptual_weight"):
            if getattr(self, name) and not (self.projected_weight or self.imagenet_weight):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} needs --projected-weight or --imagenet-weight")
        if self.perceptual_weight and not self.anchor_weight:
            raise UsageError("--perceptual-weight needs --anchor-weight")
        if self.identity_codes and not (self.warm_start or self.anchor_weight):
            raise UsageError("--identity-codes needs --warm-start or --anchor-weight")
        if self.loss == "hinge" and fixed:
            raise UsageError("--loss hinge needs --discriminator-norm batch")

    @property
    def augmentations(self) -> frozenset[str]:
        """The chosen ones of `AUGMENTATIONS`."""
        if self.augment == "none":
            return frozenset()
        return frozenset(AUGMENTATIONS if self.augment == "all" else self.augment.split(","))


@dataclass(frozen=True)
class Plan:
    """A run as it was asked for: where it is, what it starts from, and its complete settings."""

    directory: Path
    folder: RunFolder
    settings: Settings
    checkpoint: Checkpoint | None
    init: str
    changes: dict[str, Any]
    notes: list[str]


def resolve(directory: str | Path, given: Mapping[str, Any]) -> Plan:
    """Complete the settings given with those of the run that goes on, or the defaults."""
    given = {k: str(v) if isinstance(v, Path) else v for k, v in given.items()}
    asked = Settings(**given)
    directory = Path(directory)
    name = asked.name or directory.resolve().name
    folder = RunFolder(Path(asked.runs) / name)
    checkpoint, notes = folder.newest()
    init = asked.init or ("resume" if checkpoint else None)
    if init == "resume":
        if checkpoint is None:
            raise CheckpointError(f"{folder.path} has no checkpoint to resume: use another --init")
        settings, changes = _continued(asked, given, checkpoint, folder)
    else:
        if checkpoint is not None:
            raise UsageError(
                f"{folder.path} holds a run already: choose another --name, or go on with it "
                "(--init resume)"
            )
        init = init or _default_init(asked)
        recipe = asked.recipe or _default_recipe(asked.recognition, notes)
        completed = complete(recipe, given, from_scratch=init == "scratch")
        settings, changes = Settings(**completed), {}
        if settings.warm_start and init != "scratch":
            raise UsageError("--warm-start teaches a generator from scratch: use --init scratch")
        if settings.anchor_weight and not settings.warm_start and init == "scratch":
            raise UsageError("--anchor-weight keeps what a warm start taught: use --warm-start")
    if all(getattr(settings, limit) is None for limit in LIMITS):
        settings = replace(settings, epochs=DEFAULT_EPOCHS)
    settings = _with_evaluation(replace(settings, name=name), directory)
    settings.check_together()
    return Plan(directory, folder, settings, checkpoint, init, changes, notes)


def _default_init(settings: Settings) -> str:
    if settings.warm_start:
        return "scratch"
    from ffgan.model import packaged_model

    return "model" if packaged_model().exists() else "scratch"


def _default_recipe(recognition: str | None, notes: list[str]) -> str:
    """The best recipe that what is installed can follow."""
    from ffgan import faces
    from ffgan.features import efficientnet

    try:
        faces.model_file(faces.EMBEDDING_FILE, recognition)
    except ExtraError:
        found = False
    else:
        found = efficientnet.find(efficientnet.LITE1) is not None
    if found:
        return "projected"
    notes.append(
        "the recipe is warm: pip install 'ffgan[faces,imagenet]' for the better one, projected"
    )
    return "warm"


def _with_evaluation(settings: Settings, directory: Path) -> Settings:
    """The settings with the interval of the evaluation, where there is one, after a check."""
    if settings.heldout is None:
        if settings.evaluate_every:
            raise UsageError("--evaluate-every measures on images held out: give --heldout DIR")
        return settings
    from ffgan.dataset import overlap

    if overlap(directory, settings.heldout):
        raise UsageError(
            f"--heldout {settings.heldout} and the training images in {directory} are not apart: "
            "move the held-out images to a folder of their own"
        )
    if settings.evaluate_every is None:
        return replace(settings, evaluate_every=DEFAULT_EVALUATE_EVERY)
    return settings


def _continued(
    asked: Settings, given: Mapping[str, Any], checkpoint: Checkpoint, folder: RunFolder
) -> tuple[Settings, dict[str, Any]]:
    """The settings of a run that goes on, and those that change from here, as [old, new]."""
    known = {field.name for field in fields(Settings)}
    # Runs from before there were recipes are the original's.
    stored = {"recipe": "original"} | checkpoint.record["settings"]
    old = {k: v for k, v in stored.items() if k in known}
    new = {k: v for k, v in given.items() if k not in WHERE}
    for name in FIXED:
        if name in new and new[name] != old[name]:
            raise UsageError(
                f"--{name.replace('_', '-')} is {old[name]} in {folder.path} and cannot become "
                f"{new[name]}: choose a new --name"
            )
    if any(new.get(limit) is not None for limit in LIMITS):
        old |= dict.fromkeys(LIMITS)
    changes = {k: [stored.get(k), v] for k, v in new.items() if stored.get(k) != v}
    return replace(asked, **{**old, **new}), changes
