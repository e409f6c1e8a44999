# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is to do: where it starts, its recipe, what may change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.training import (
    SHORT,
    WARM,
    checkpoints,
)

import ffgan
from ffgan.dataset import pack
from ffgan.errors import (
    CheckpointError,
    ExtraError,
    UsageError,
)
from ffgan.features import efficientnet
from ffgan.training import Settings, dry_run, recipes, train
from ffgan.training.plan import resolve
from ffgan.training.run_folder import Checkpoint, RunFolder, encode, read


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch", 8), ("discriminator", "table"), ("seed", 1), ("flip", True), ("warm_start", 9)],
)
def test_what_cannot_change_is_refused_by_name(small, faces, name, value) -> None:
    train(faces, **SHORT)
    before = checkpoints("faces")
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')} is .* choose a new --name"):
        train(faces, **{name: value})
    assert checkpoints("faces") == before


@pytest.mark.parametrize(
    "damage",
    [
        {"position": None},
        {"position": {"step": 1}},
        {"position": {"step": 2, "offset": 0, "returns": 0, "suspect": 0}},
        {"position": {"step": 1, "offset": -5, "returns": 0, "suspect": 0}},
        {"settings": [1]},
        {"data": {"images": 3}},
    ],
    ids=str,
)
def test_a_checkpoint_of_no_run_is_refused_with_a_way_out(tmp_path: Path, damage) -> None:
    record = {
        "position": {"step": 1, "offset": 0, "returns": 0, "suspect": 0},
        "settings": {},
        "data": {"images": 3, "hash": "0"},
    }
    folder = RunFolder(tmp_path / "a")
    folder.checkpoints.mkdir(parents=True)
    given = {"runs": str(tmp_path), "name": "a"}
    folder.save(Checkpoint(1, {}, record), keep=1)
    assert resolve(tmp_path, given).init == "resume"
    folder.save(Checkpoint(1, {}, record | {"settings": {"recipe": float("nan")}}), keep=1)
    with pytest.raises(UsageError, match=r"--recipe must be text, not nan"):
        resolve(tmp_path, given)
    folder.save(Checkpoint(1, {}, record | damage), keep=1)
    with pytest.raises(CheckpointError, match=r"is of no run of this program: move it away"):
        resolve(tmp_path, given)


def test_other_tensors_than_the_settings_say_are_refused_with_a_way_out(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 1})
    folder = RunFolder("runs/faces")
    found = read(folder.paths()[-1])
    folder.save(Checkpoint(1, {"trainer.w": np.zeros(3, np.float32)}, found.record), keep=1)
    with pytest.raises(CheckpointError, match=r"holds other networks .*: move it away"):
        train(faces, steps=2)


OTHER = {
    "recipe": "warm",
    "seed": 5,
    "discriminator": "table",
    "batch": 8,
    "loss": "hinge",
    "discriminator_norm": "fixed",
    "joint_update": True,
    "imagenet_enlarged": True,
    "warm_start": 3,
    "warm_start_batch": 8,
    "fit": "stretch",
    "flip": True,
    "colour": "convert",
    "include_generated": False,
}


@pytest.mark.parametrize("name", Settings.names(life="fixed"))
def test_a_checkpoint_older_than_a_setting_goes_on_with_its_default(small, faces, name) -> None:
    train(faces, **{**SHORT, "steps": 1})
    path = RunFolder("runs/faces").paths()[-1]
    checkpoint = read(path)
    del checkpoint.record["settings"][name]
    path.write_bytes(encode(checkpoint))
    of_then = {"recipe": "original", "colour": "ignore", "include_generated": True}
    default = of_then.get(name, Settings.about()[name].default)
    for given in ({}, {name: default}):
        plan = resolve(faces, {"steps": 9, **given})
        assert getattr(plan.settings, name) == default
        assert plan.changes == {"steps": [1, 9]}
    with pytest.raises(UsageError, match=f"is {default} in .* choose a new --name"):
        resolve(faces, {name: OTHER[name]})


def test_every_setting_may_be_missing_in_a_checkpoint(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 1})
    path = RunFolder("runs/faces").paths()[-1]
    checkpoint = read(path)
    checkpoint.record["settings"].clear()
    path.write_bytes(encode(checkpoint))
    plan = resolve(faces, {})
    assert plan.settings == Settings(
        recipe="original", colour="ignore", include_generated=True, name="faces", epochs=25
    )


def test_a_new_run_follows_the_colours_of_its_packed_file(small, faces, tmp_path) -> None:
    assert resolve(faces, {}).settings.colour == "convert"
    for colour in ("ignore", "convert"):
        file = tmp_path / f"{colour}.pack"
        pack(faces, file, colour=colour).close()
        assert resolve(file, {}).settings.colour == colour
    assert resolve(faces, {"colour": "ignore"}).settings.colour == "ignore"


def test_an_unknown_setting_is_answered_with_the_nearest_one(small, faces) -> None:
    for function in (train, dry_run, ffgan.train):
        with pytest.raises(UsageError, match="unknown setting btach: did you mean batch"):
            function(faces, btach=8)
    assert not Path("runs").exists()


def test_init_says_where_to_start(small, faces) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint to resume"):
        train(faces, **SHORT, init="resume")
    train(faces, **SHORT, init="scratch")
    with pytest.raises(UsageError, match="holds a run already: choose another --name"):
        train(faces, **SHORT, init="scratch")
    train(faces, init="resume", steps=10)
    assert len(small.calls) == 10


def test_a_warm_start_means_from_scratch(small, faces, tmp_path) -> None:
    (tmp_path / "packaged.safetensors").write_bytes(b"not a model")
    train(faces, **WARM)
    assert small.calls[0]["kind"] == "reconstruct"
    with pytest.raises(UsageError, match="--init scratch"):
        train(faces, **WARM, name="b", init="model")
    with pytest.raises(UsageError, match="--anchor-weight"):
        train(faces, **SHORT, name="c", init="scratch", anchor_weight=1.0)


def test_the_recipe_of_the_original_is_the_defaults(small, faces) -> None:
    plan = resolve(faces, {"recipe": "original", "init": "scratch"})
    expected = Settings(recipe="original", init="scratch", name="faces", epochs=25)
    assert plan.settings == expected


def test_what_is_given_stands_above_the_recipe(small, faces) -> None:
    given = {"recipe": "warm", "init": "scratch", "dropout": 0.5, "flip": False, "batch": 7}
    settings = resolve(faces, given).settings
    assert (settings.dropout, settings.flip, settings.batch) == (0.5, False, 7)
    assert settings.warm_start == recipes.load("warm")[1]["warm_start"]
    # Few images are too few for a warm start; without it nothing of it remains.
    settings = resolve(faces, {"recipe": "projected", "init": "scratch", "warm_start": 0}).settings
    assert (settings.warm_start, settings.anchor_weight, settings.identity_codes) == (0, 0, 0)
    assert settings.imagenet_weight == recipes.load("projected")[1]["imagenet_weight"]


def test_the_default_is_the_best_recipe_that_is_installed(small, faces, monkeypatch) -> None:
    plan = resolve(faces, {"init": "scratch"})
    assert (plan.settings.recipe, plan.notes) == ("projected", [])
    found = efficientnet.find_spec
    monkeypatch.setattr(
        efficientnet, "find_spec", lambda name: None if "efficientnet" in name else found(name)
    )
    plan = resolve(faces, {"init": "scratch"})
    assert plan.settings.recipe == "warm"
    assert len(plan.notes) == 1 and "pip install 'ffgan[faces,imagenet]'" in plan.notes[0]
    with pytest.raises(ExtraError, match=r"ffgan\[imagenet\]"):
        train(faces, init="scratch", recipe="projected")
    monkeypatch.undo()
    monkeypatch.setattr("ffgan.faces.dlib_files.find_spec", lambda name: None)
    assert resolve(faces, {"init": "scratch"}).settings.recipe == "warm"


def test_a_recipe_is_of_a_whole_run(small, faces) -> None:
    with pytest.raises(UsageError, match="--recipe must be original, warm, projected or a file"):
        train(faces, **{**SHORT, "recipe": "a"})
    warm = {**SHORT, "recipe": "warm", "warm_start": 2, "warm_start_batch": 4}
    train(faces, **warm, init="scratch")
    settings = json.loads(Path("runs/faces/config.json").read_text())["settings"]
    assert settings["recipe"] == "warm"
    assert settings["chroma_weight"] == recipes.load("warm")[1]["chroma_weight"]
    with pytest.raises(UsageError, match=r"--recipe is warm in .* and cannot become projected"):
        train(faces, steps=12, recipe="projected")
    train(faces, steps=12)
    settings = json.loads(Path("runs/faces/config.json").read_text())["settings"]
    assert settings["recipe"] == "warm"
    assert settings["chroma_weight"] == recipes.load("warm")[1]["chroma_weight"]
