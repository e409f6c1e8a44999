# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan train`; what settings are is in tests/test_settings.py and tests/training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.commands import ffgan_command, only_error

from ffgan import cli, images
from ffgan.progress import Progress
from ffgan.training import Settings, recipes


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What arrives at `ffgan.training.train`."""
    received: dict[str, object] = {}

    def train(directory: Path, **settings: object) -> Path:
        received.update(settings, directory=directory)
        return Path("model.safetensors")

    monkeypatch.setattr("ffgan.training.train", train)
    return received


def test_options_arrive_as_settings(received: dict[str, object]) -> None:
    words = "--train photos --batch 8 --learning-rate-g 1e-4 --augment colour,cutout --flip"
    assert cli.main([*words.split(), "--no-window", "--init", "model:a.safetensors"]) == 0
    progress = received.pop("progress")
    assert callable(progress)
    assert received == {
        "directory": Path("photos"),
        "batch": 8,
        "learning_rate_g": 1e-4,
        "augment": "colour,cutout",
        "flip": True,
        "window": False,
        "init": "model:a.safetensors",
    }


def test_a_file_and_names_are_settings_too(received: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("batch = 16\nlearning-rate-g = 1e-3\nrecipe = 'warm'\nsteps = 100")
    words = ["train", "photos", "--config", str(file), "--set", "batch=32", "--steps", "5"]
    assert cli.main(words) == 0
    del received["progress"]
    assert received == {
        "directory": Path("photos"),
        "recipe": "warm",
        "learning_rate_g": 1e-3,
        "batch": 32,
        "steps": 5,
    }


def test_later_files_override_earlier_ones_with_a_line(
    received: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("batch = 16\nsteps = 9\nflip = true")
    two.write_text("batch = 32\nflip = true\nseed = 5")
    assert cli.main(["train", "photos", "--config", str(one), "--config", str(two)]) == 0
    del received["progress"], received["directory"]
    assert received == {"batch": 32, "steps": 9, "flip": True, "seed": 5}
    assert f"{two} overrides batch of the files before it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "0"], "--batch must be from 2 to 4096, not 0"),
        (["--batch", "many"], "--batch must be a whole number, not 'many'"),
        (["--augment", "colour,rotation"], "--augment must be none, all, or a list"),
        (["--recipe", "cold"], "--recipe must be original, warm, projected or a file"),
        (["--loss", "hinge", "--recipe", "warm"], "--loss hinge needs --discriminator-norm batch"),
        (["--btach", "8"], "unknown option --btach: did you mean --batch?"),
        (["--set", "btach=8"], "unknown setting btach: did you mean batch?"),
        (["--config", "missing.toml"], "missing.toml cannot be read"),
    ],
)
def test_what_is_wrong_is_named(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", str(tmp_path), *options]) == 2
    assert message in only_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_and_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        assert cli.main(["train", name, "--init", "scratch"]) == 2
        assert name in only_error(capsys)


def test_help_shows_what_people_need_and_help_all_every_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["train", "--help"]) == 0
    short = capsys.readouterr().out
    assert cli.main(["train", "--help-all"]) == 0
    whole = capsys.readouterr().out
    for about in Settings.about().values():
        assert f" {about.flag}" in whole
        assert (f"\n  {about.flag}" in short) == about.common
    assert 10 <= sum(about.common for about in Settings.about().values()) <= 15


def test_help_says_of_which_settings_the_recipe_has_another_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a new run uses, without --recipe, is the default that is printed, or the recipe's."""
    assert cli.main(["train", "--help-all"]) == 0
    whole = " ".join(capsys.readouterr().out.split())
    for name, about in Settings.about().items():
        of_recipes = [recipes.load(recipe)[1].get(name) for recipe in recipes.PACKAGED]
        says = f"{about.help} (default: by the recipe; of original: {about.shown_default})"
        assert (says in whole) == any(value is not None for value in of_recipes), name


def test_messages_and_progress_are_printed_as_lines_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import logging

    def train(directory: Path, *, progress: object) -> Path:
        logging.getLogger("ffgan.training").info("4 images from photos")
        assert callable(progress)
        progress(Progress("components", 3, 4))
        progress(Progress("components", 4, 4, notable=True))
        return Path("model.safetensors")

    monkeypatch.setattr("ffgan.training.train", train)
    assert cli.main(["train", "photos"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "4 images from photos\ncomponents · 4/4 images\n"
    assert captured.out == "model: model.safetensors\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (162, 162, 3), dtype=np.uint8)
        images.save(photos / f"{number}.png", pixels)
    return tmp_path


def test_a_run_goes_on_and_its_model_can_be_drawn_from(photos: Path) -> None:
    """The one from end to end: trained, continued, drawn from, each in a process of its own."""
    new = ("--init", "scratch", "--recipe", "original", "--batch", "2", "--log-every", "1")
    done = ffgan_command("train", "photos", *new, "--steps", "1", cwd=photos)
    assert done.returncode == 0, done.stderr
    assert "starting from scratch" in done.stderr
    done = ffgan_command("train", "photos", "--steps", "2", cwd=photos)
    assert done.returncode == 0, done.stderr
    assert "starting from step 1 of " in done.stderr
    assert "step 2/2 · " in done.stderr
    trained = str(Path("runs") / "photos" / "model.safetensors")
    assert trained in done.stdout
    log = (photos / "runs" / "photos" / "train.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2]
    drawn = ffgan_command("gen", "1", "--no-window", "--model", trained, cwd=photos)
    assert drawn.returncode == 0, drawn.stderr
    assert len(list((photos / "generated").iterdir())) == 1


def test_without_a_display_the_way_out_is_to_train_without_a_window(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    new = ["--init", "scratch", "--recipe", "original", "--batch", "2", "--steps", "1"]
    assert cli.main(["train", "photos", *new, "--window"]) == 1
    assert only_error(capsys).endswith("; --no-window trains without one")


@pytest.mark.slow
def test_dry_run_tells_settings_and_time_and_writes_nothing(photos: Path) -> None:
    arguments = ("--dry-run", "--steps", "1000", "--batch", "2", "--init", "scratch")
    arguments += ("--recipe", "original")
    done = ffgan_command("train", "photos", *arguments, cwd=photos)
    assert done.returncode == 0, done.stderr
    assert "batch: 2" in done.stdout
    assert "estimated time" in done.stdout
    assert [path.name for path in photos.iterdir()] == ["photos"]
