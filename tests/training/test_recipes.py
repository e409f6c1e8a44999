# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the package and a user's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.training import SHORT

from ffgan.errors import UsageError
from ffgan.training import Settings, recipes, train
from ffgan.training.plan import resolve


@pytest.mark.parametrize("recipe", recipes.PACKAGED)
@pytest.mark.parametrize("init", ["scratch", "model"])
def test_a_recipe_is_complete_by_itself(small, faces, recipe, init) -> None:
    _, values = recipes.load(recipe)
    settings = resolve(faces, {"recipe": recipe, "init": init}).settings
    settled = {name: getattr(settings, name) for name in values}
    left_out = {name for name, value in settled.items() if value != values[name]}
    assert settings.recipe == recipe
    if init == "scratch":
        assert left_out == set()
    else:
        # Latents mean something else to a model of other faces.
        assert left_out <= {*Settings.names(needs="warm_start")}
        assert (settings.warm_start, settings.anchor_weight, settings.identity_codes) == (0, 0, 0)


def test_a_recipe_of_ones_own_is_known_by_its_content(small, faces, tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('recipe = "warm"\nchroma_weight = 5\nlog_every = 2  # few')
    name, values = recipes.load(str(mine))
    assert re.fullmatch(r"own-[0-9a-f]{12}", name)
    assert values == {**recipes.load("warm")[1], "chroma_weight": 5.0, "log_every": 2}
    (tmp_path / "elsewhere").mkdir()
    same = tmp_path / "elsewhere" / "yours.toml"
    same.write_text('chroma_weight = 5.0\nlog-every = 2\nrecipe = "warm"')
    assert recipes.load(str(same))[0] == name
    same.write_text('chroma_weight = 6.0\nlog-every = 2\nrecipe = "warm"')
    assert recipes.load(str(same))[0] != name


def test_a_run_keeps_the_settings_of_a_recipe_that_is_gone(small, faces, tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("chroma_weight = 5\nlearning_rate_d = 1e-3\nbatch = 8")
    train(faces, **{**SHORT, "recipe": mine})
    settings = stored("faces")
    name = settings["recipe"]
    assert name.startswith("own-")
    # What is given stands above the recipe, and that above the defaults.
    assert (settings["batch"], settings["chroma_weight"], settings["ema"]) == (4, 5.0, 0.999)
    train(faces, steps=10, recipe=mine)
    mine.write_text("chroma_weight = 6")
    with pytest.raises(UsageError, match=rf"--recipe is {name} in .* and cannot become own-"):
        train(faces, steps=12, recipe=mine)
    mine.unlink()
    train(faces, steps=12, recipe=name)
    assert (stored("faces")["chroma_weight"], stored("faces")["recipe"]) == (5.0, name)
    assert stored("faces")["learning_rate_d"] == 1e-3


def stored(run: str) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(Path("runs", run, "config.json").read_text())["settings"]
    return settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("btach = 8", "mine.toml: unknown setting btach: did you mean batch"),
        ("batch = 1", "mine.toml: --batch must be from 2 to 4096"),
        ("name = 'a'", "mine.toml: name belongs to one run and not to a recipe"),
        ("runs = 'a'", "mine.toml: runs belongs to one run"),
        ("recipe = 'cold'", "mine.toml: recipe must be original, warm, projected, not 'cold'"),
        ("recipe = 'mine.toml'", "recipe must be original, warm, projected"),
        ("batch 8", "mine.toml is not a TOML file"),
    ],
)
def test_a_wrong_recipe_is_named(text: str, message: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        recipes.load("mine.toml")


def test_no_recipe_of_that_name() -> None:
    with pytest.raises(UsageError, match=r"must be original, warm, projected or a file FILE.toml"):
        recipes.load("cold")
    with pytest.raises(UsageError, match=r"must be original.*, not ''"):
        resolve(".", {"recipe": ""})
    with pytest.raises(UsageError, match=r"cold.toml cannot be read"):
        recipes.load("cold.toml")


def test_the_recipes_of_the_package_can_be_copied(small, faces, tmp_path) -> None:
    for name in recipes.PACKAGED:
        copy = tmp_path / f"{name}.toml"
        copy.write_bytes((recipes.FOLDER / f"{name}.toml").read_bytes())
        assert recipes.load(str(copy))[1] == recipes.load(name)[1]
