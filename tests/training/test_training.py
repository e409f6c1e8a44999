# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: what it leaves, how it stops, how it goes on.

Most tests put a small stand-in for the C++ trainer in its place, with the same interface: what they
assert is about the loop. The tests marked slow train the real networks.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from ffgan import _core, features, images, training
from ffgan.dataset import Dataset
from ffgan.errors import (
    CheckpointError,
    DatasetError,
    DisplayError,
    DivergedError,
    ExtraError,
    ModelError,
    UsageError,
)
from ffgan.features import efficientnet, imagenet
from ffgan.training import Interrupted, dry_run, train, warm_start
from ffgan.training.recipes import OF_THE_WARM_START, RECIPES
from ffgan.training.run_folder import RunFolder, read
from ffgan.training.settings import Settings, resolve

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

IMAGES = 130
SHORT = {
    "recipe": "original",
    "batch": 4,
    "steps": 8,
    "log_every": 2,
    "sample_every": 4,
    "checkpoint_every": 4,
}
WARM = {**SHORT, "warm_start": 5, "warm_start_batch": 4, "anchor_weight": 0.5, "flip": True}


class SmallTrainer:
    """Adds up what it is given, so that every byte of the input shows in its state."""

    calls: ClassVar[list[dict[str, Any]]] = []
    during_step: ClassVar[Callable[[SmallTrainer, dict[str, float]], None] | None] = None

    def __init__(self, *, seed: int, **settings: Any) -> None:
        self.settings = settings
        self.steps = 0
        self.blur = 0.0
        self.statistics = np.zeros(1, np.float32)
        draw = np.random.default_rng(seed)
        self.networks = {
            name: {"w": draw.standard_normal(8).astype(np.float32)}
            for name in ("generator", "averaged", "discriminator")
        }

    def set_learning_rates(self, generator: float, discriminator: float) -> None:
        self.settings |= {"learning_rate_g": generator, "learning_rate_d": discriminator}

    def set_blur(self, sigma: float) -> None:
        self.blur = sigma

    def step(
        self,
        real: UInt8,
        latents: Float32,
        *,
        update_generator: bool = True,
        anchored: int = 0,
    ) -> dict[str, float]:
        assert real.shape == (len(latents), 162, 162, 3)
        self.calls.append({"kind": "step", "blur": self.blur} | locals())
        d = self.networks["discriminator"]["w"]
        d += self.settings["learning_rate_d"] * (real.mean() / 255 + latents[:, :8].sum(axis=0))
        if update_generator:
            g = self.networks["generator"]["w"]
            g += self.settings["learning_rate_g"] * latents[:, 8:16].sum(axis=0)
            if anchored:
                codes = latents[:anchored, :8]
                g += np.float32(self.settings["anchor_weight"] * 1e-3) * codes.mean(axis=0)
            self._average()
        self.steps += 1
        result = {"loss_d": 0.9, "loss_g": 1.4, "accuracy_real": 0.75, "accuracy_fake": 0.5}
        if SmallTrainer.during_step is not None:
            SmallTrainer.during_step(self, result)
        return result

    def reconstruct(self, latents: Float32, images: UInt8, learning_rate: float) -> float:
        self.calls.append({"kind": "reconstruct", "real": images} | locals())
        self.networks["generator"]["w"] += np.float32(learning_rate) * latents[:, :8].mean(axis=0)
        self._average()
        self.steps += 1
        result = {"loss": 0.5}
        if SmallTrainer.during_step is not None:
            SmallTrainer.during_step(self, result)
        return result["loss"]

    def _average(self) -> None:
        a, g = (self.networks[name]["w"] for name in ("averaged", "generator"))
        a += np.float32(0.1) * (g - a)

    def estimate_statistics(self, latents: Float32) -> None:
        self.statistics = latents.sum(keepdims=True)[0] + self.networks["averaged"]["w"][:1]

    def sample(self, latents: Float32, averaged: bool = True) -> UInt8:
        assert averaged
        pixels = np.clip(128 + 40 * latents[:, :3], 0, 255).astype(np.uint8)
        return np.broadcast_to(pixels[:, None, None], (len(latents), 162, 162, 3))

    def parameters(self, network: str) -> dict[str, Float32]:
        return {name: array.copy() for name, array in self.networks[network].items()}

    def set_parameters(self, network: str, parameters: dict[str, Float32]) -> None:
        self.networks[network] = {name: array.copy() for name, array in parameters.items()}

    def state(self) -> dict[str, Float32]:
        return {
            **{f"{name}.w": self.networks[name]["w"].copy() for name in self.networks},
            "steps": np.array([self.steps], np.float32),
            "statistics": self.statistics,
        }

    def load_state(self, state: dict[str, Float32]) -> None:
        for name in self.networks:
            self.networks[name]["w"] = state[f"{name}.w"].copy()
        self.steps = int(state["steps"][0])
        self.statistics = state["statistics"]


def save_small_model(
    path: Path, generator: dict[str, Float32], discriminator: dict[str, Float32], metadata: Any
) -> None:
    content = [{k: v.tolist() for k, v in generator.items()}, dict(metadata)]
    path.write_text(json.dumps(content, sort_keys=True))


def make_images(folder: Path, count: int = IMAGES) -> Path:
    folder.mkdir(parents=True)
    draw = np.random.default_rng(1)
    for i in range(count):
        picture = images.resize(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8), 162)
        (folder / f"{i:03d}.jpg").write_bytes(images.encode(picture, "jpg"))
    return folder


def use_small_trainer(patch: pytest.MonkeyPatch) -> None:
    SmallTrainer.calls.clear()
    SmallTrainer.during_step = None
    patch.setattr("ffgan._core.Trainer", SmallTrainer)
    patch.setattr("ffgan.model.save_model", save_small_model)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[SmallTrainer]:
    use_small_trainer(monkeypatch)
    # No packaged model, unless a test makes one.
    for module in ("ffgan.model", "ffgan.model.file"):  # who asks, and who loads
        monkeypatch.setattr(f"{module}.packaged_model", lambda: tmp_path / "packaged.safetensors")
    # Large grids and exact components would take most of the time and show nothing here.
    monkeypatch.setattr(training, "SAMPLES", 4)
    monkeypatch.setattr(warm_start, "POWER_ITERATIONS", 0)
    monkeypatch.chdir(tmp_path)
    return SmallTrainer


def stop_at(step: int, number: int = signal.SIGINT) -> Callable[[Any, Any], None]:
    def stop(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == step:
            signal.raise_signal(number)
            # The watching thread sets the flag; until then the loop would go on.
            time.sleep(0.2)

    return stop


def checkpoints(run: str) -> dict[str, str]:
    paths = RunFolder(Path("runs") / run).paths()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def log(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("runs", run, "train.jsonl").read_text().splitlines()]


# ---------------------------------------------------------------------- what a run leaves


def test_a_run_leaves_everything_the_folder_promises(small, faces, capsys) -> None:
    model = train(faces, **SHORT)
    assert model == Path("runs/faces/model.safetensors")
    run = model.parent
    found = sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file())
    assert found == [
        ".lock",
        "checkpoints/step-00000000.safetensors",
        "checkpoints/step-00000004.safetensors",
        "checkpoints/step-00000008.safetensors",
        "config.json",
        "model.safetensors",
        "report.html",
        "samples/step-00000004.png",
        "samples/step-00000008.png",
        "train.jsonl",
    ]
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["batch"] == 4
    assert config["images"] == IMAGES
    assert config["starts_from"] == "scratch"
    shown = capsys.readouterr().err
    assert re.search(r"step 8/8 · [\d.]+ images/s · 0:00:00 left · loss D 0\.900 G 1\.400", shown)
    assert "right on real 0.75 fake 0.50" in shown


def test_the_log_counts_and_averages(small, faces) -> None:
    def vary(trainer: SmallTrainer, result: dict[str, float]) -> None:
        result["loss_g"] = float(trainer.steps)

    small.during_step = vary
    train(faces, **SHORT)
    lines = log("faces")
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert [line["images"] for line in lines] == [8, 16, 24, 32]
    assert [line["loss_g"] for line in lines] == [1.5, 3.5, 5.5, 7.5]
    assert all(line["stage"] == "adversarial" for line in lines)
    assert all(line["accuracy_real"] == 0.75 for line in lines)
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)
    assert all(0.0 <= line["waiting"] <= 1.0 for line in lines)
    assert all(line["images_per_second"] > 0 for line in lines)


def test_samples_are_the_same_seeds_each_time_and_say_so(small, faces) -> None:
    from ffgan.latent import noise

    train(faces, **SHORT)
    grids = [path.read_bytes() for path in sorted(Path("runs/faces/samples").glob("*.png"))]
    first, second = (images.decode(grid) for grid in grids)
    assert first.shape == (2 * 162, 2 * 162, 3)
    np.testing.assert_array_equal(first, second)
    expected = np.clip(128 + 40 * noise(3)[:3], 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(first[162 + 80, 162 + 80], expected)
    assert b"seeds\x000 to 3" in grids[0]


def test_the_model_says_what_made_it(small, faces) -> None:
    train(faces, **SHORT, augment="colour,cutout")
    _, metadata = json.loads(Path("runs/faces/model.safetensors").read_text())
    assert metadata["steps"] == "8"
    assert metadata["images_seen"] == "32"
    assert metadata["discriminator"] == "program"
    assert metadata["data"].startswith(f"{IMAGES} images")
    assert json.loads(metadata["settings"])["augment"] == "colour,cutout"
    assert str(faces) not in json.dumps(metadata)


class RecordingWindow:
    """In place of the viewer's: keeps what it is shown."""

    made: ClassVar[list[RecordingWindow]] = []

    def __init__(self, title: str) -> None:
        self.shown: list[tuple[tuple[int, ...], str | None]] = []
        self.polls = 0
        self.made.append(self)

    def show(self, image: UInt8, title: str | None = None) -> None:
        self.shown.append((image.shape, title))

    def wait(self, seconds: float | None = None) -> str:
        assert seconds == 0
        self.polls += 1
        return "timeout"

    def __enter__(self) -> RecordingWindow:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True


def test_a_window_shows_every_grid_and_stays_alive(small, faces, monkeypatch) -> None:
    monkeypatch.setattr("ffgan.viewer.Window", RecordingWindow)
    RecordingWindow.made.clear()
    train(faces, **SHORT, window=True)
    (window,) = RecordingWindow.made
    assert window.shown == [
        ((324, 324, 3), "ffgan: faces, step 4, seeds 0 to 3"),
        ((324, 324, 3), "ffgan: faces, step 8, seeds 0 to 3"),
    ]
    assert window.polls == 8
    assert window.closed


def test_without_a_display_a_window_is_refused_before_anything_is_made(
    small, faces, monkeypatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DisplayError):
        train(faces, **SHORT, window=True)
    assert not Path("runs").exists()


# ---------------------------------------------------------------------- batches and latents


def test_latents_and_images_are_functions_of_seed_and_step(small, faces) -> None:
    from ffgan.dataset import Dataset

    train(faces, **SHORT, seed=11, flip=True)
    with Dataset(faces) as dataset:
        expected = dataset.batches(4, seed=11, flip=True)
        for step, call in enumerate(small.calls):
            z = np.random.default_rng((11, 1, step)).standard_normal((4, 100)).astype(np.float32)
            np.testing.assert_array_equal(call["latents"], z)
            np.testing.assert_array_equal(call["real"], next(expected))
    assert len(small.calls) == 8


def test_the_warm_start_gives_each_image_its_own_code(small, faces) -> None:
    train(faces, **WARM)
    warm = [call for call in small.calls if call["kind"] == "reconstruct"]
    steps = [call for call in small.calls if call["kind"] == "step"]
    assert (len(warm), len(steps)) == (5, 8)
    tensors = read(RunFolder("runs/faces").paths()[-1]).tensors
    basis = {k[21:]: v for k, v in tensors.items() if k.startswith("principal_components.")}
    components = training.PrincipalComponents.from_tensors(basis)
    for call in warm:
        np.testing.assert_array_equal(call["latents"], components.codes(call["real"]))
    rates = [call["learning_rate"] for call in warm]
    assert rates[0] == pytest.approx(2e-3)
    assert rates == sorted(rates, reverse=True)
    for call in steps:
        known = call["real"][:2]  # half of the batch
        assert call["anchored"] == 2
        np.testing.assert_array_equal(call["latents"][:2], components.codes(known))
        settings = call["self"].settings
        assert (settings["anchor_weight"], settings["anchor_skip"]) == (0.5, 0)
    assert [line["stage"] for line in log("faces")][:3] == ["warm start"] * 2 + ["adversarial"]
    assert log("faces")[-1]["images"] == 5 * 4 + 8 * 4


def test_the_adversary_meets_the_averaged_generator_of_the_warm_start(small, faces) -> None:
    weights: list[tuple[Float32, Float32]] = []

    def note(trainer: SmallTrainer, result: dict[str, float]) -> None:
        networks = trainer.networks
        weights.append((networks["generator"]["w"].copy(), networks["averaged"]["w"].copy()))

    small.during_step = note
    train(faces, **{**WARM, "discriminator_warmup": 1})
    generator, averaged = weights[5]
    np.testing.assert_array_equal(generator, weights[4][1])
    np.testing.assert_array_equal(generator, averaged)


def test_the_discriminator_may_learn_alone_first(small, faces) -> None:
    train(faces, **SHORT, discriminator_warmup=3)
    assert [call["update_generator"] for call in small.calls] == [False] * 3 + [True] * 5


def test_the_blur_falls_to_nothing_along_a_line_or_stays(small, faces) -> None:
    train(faces, **SHORT, name="falls", blur=2.0, blur_steps=4)
    assert [call["blur"] for call in small.calls] == [2.0, 1.5, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    small.calls.clear()
    train(faces, **SHORT, name="stays", blur=1.25)
    assert [call["blur"] for call in small.calls] == [1.25] * 8


def test_the_blur_begins_to_fall_after_the_warm_start(small, faces) -> None:
    train(faces, **{**WARM, "blur": 3.0, "blur_steps": 3})
    steps = [call["blur"] for call in small.calls if call["kind"] == "step"]
    assert steps[:4] == pytest.approx([3.0, 2.0, 1.0, 0.0])


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


# ---------------------------------------------------------------------- how long it runs


def test_epochs_count_the_images(small, faces) -> None:
    train(faces, **{**SHORT, "steps": None, "epochs": 0.1})
    assert log("faces")[-1]["step"] == 4
    assert len(small.calls) == 4


def test_the_earliest_limit_ends_it(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 3, "epochs": 10})
    assert len(small.calls) == 3


def test_minutes_end_it_with_a_checkpoint(small, faces) -> None:
    def slowly(trainer: SmallTrainer, result: dict[str, float]) -> None:
        time.sleep(0.05)

    small.during_step = slowly
    train(faces, **{**SHORT, "steps": None, "minutes": 0.02})
    done = len(small.calls)
    assert 1 <= done <= 24
    assert log("faces")[-1]["step"] == done
    assert log("faces")[-1]["seconds"] >= 1.2
    assert f"step-{done:08d}.safetensors" in checkpoints("faces")
    # The time is that of the run: it is over, and going on needs more of it.
    train(faces)
    assert len(small.calls) == done
    train(faces, minutes=0.04)
    assert len(small.calls) > done


def test_checkpoints_come_after_so_many_minutes_too(small, faces) -> None:
    seen: list[int] = []

    def note(trainer: SmallTrainer, result: dict[str, float]) -> None:
        seen.append(len(RunFolder("runs/faces").paths()))

    small.during_step = note
    train(faces, **{**SHORT, "checkpoint_every": 1000, "checkpoint_minutes": 1e-6})
    assert seen == [1, 2, 3, 3, 3, 3, 3, 3]


# ---------------------------------------------------------------------- going on


@pytest.mark.parametrize("settings", [SHORT, WARM], ids=["plain", "warm start and anchor"])
@pytest.mark.parametrize("stop", [1, 4, 5, 7])
def test_a_run_that_was_interrupted_leaves_the_same_bytes(small, faces, settings, stop) -> None:
    train(faces, **settings, name="whole")
    small.during_step = stop_at(stop)
    with pytest.raises(Interrupted):
        train(faces, **settings, name="parts")
    small.during_step = None
    train(faces, name="parts")
    last = f"step-{settings['steps'] + settings.get('warm_start', 0):08d}.safetensors"
    assert checkpoints("parts")[last] == checkpoints("whole")[last]
    whole, parts = (Path("runs", run) for run in ("whole", "parts"))
    assert (whole / "model.safetensors").read_text() == (parts / "model.safetensors").read_text()
    grid = f"samples/{last.replace('safetensors', 'png')}"
    ours, theirs = (images.decode((run / grid).read_bytes()) for run in (whole, parts))
    np.testing.assert_array_equal(ours, theirs)
    steps = [line["step"] for line in log("parts")]
    assert steps == sorted(set(steps))


def test_the_settings_of_the_run_are_kept(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 4}, learning_rate_d=1e-3, augment="colour", seed=5)
    train(faces, steps=8)
    assert len(small.calls) == 8
    config = json.loads(Path("runs/faces/config.json").read_text())["settings"]
    assert (config["batch"], config["augment"], config["seed"]) == (4, "colour", 5)
    assert [line["step"] for line in log("faces")] == [2, 4, 6, 8]


def test_a_learning_rate_may_change_and_the_change_is_recorded(small, faces) -> None:
    train(faces, **{**SHORT, "steps": 4})
    train(faces, steps=8, learning_rate_d=1e-5)
    config = json.loads(Path("runs/faces/config.json").read_text())
    assert config["changes"] == [
        {"step": 4, "settings": {"steps": [4, 8], "learning_rate_d": [2e-4, 1e-5]}}
    ]
    assert "learning_rate_d: 0.0002 to 1e-05" in Path("runs/faces/report.html").read_text()


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


def test_other_images_are_refused(small, faces, tmp_path) -> None:
    train(faces, **SHORT)
    other = make_images(tmp_path / "other", 20)
    with pytest.raises(UsageError, match=r"does not hold the images .*130 then, 20 now.*--name"):
        train(other, name="faces")


def test_a_finished_run_is_left_alone(small, faces, capsys) -> None:
    train(faces, **SHORT)
    before = checkpoints("faces")
    train(faces)
    assert len(small.calls) == 8
    assert checkpoints("faces") == before
    assert "8 steps done" in capsys.readouterr().err


def test_a_damaged_newest_checkpoint_costs_a_line_and_a_few_steps(small, faces, capsys) -> None:
    train(faces, **SHORT)
    whole = checkpoints("faces")
    newest = Path("runs/faces/checkpoints/step-00000008.safetensors")
    newest.write_bytes(newest.read_bytes()[:-10])
    train(faces)
    assert f"{newest} is damaged" in capsys.readouterr().err
    assert checkpoints("faces") == whole
    assert [line["step"] for line in log("faces")] == [2, 4, 6, 8]


def test_init_says_where_to_start(small, faces) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint to resume"):
        train(faces, **SHORT, init="resume")
    train(faces, **SHORT, init="scratch")
    with pytest.raises(UsageError, match="holds a run already: choose another --name"):
        train(faces, **SHORT, init="scratch")
    train(faces, init="resume", steps=10)
    assert len(small.calls) == 10


def test_without_a_run_the_packaged_model_is_fine_tuned(small, faces, tmp_path, capsys) -> None:
    (tmp_path / "packaged.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError):
        train(faces, **SHORT)
    assert list(Path("runs/faces/checkpoints").iterdir()) == []
    train(faces, **SHORT, init="scratch")
    assert "starting from scratch" in capsys.readouterr().err


def test_a_named_model_that_is_not_there_is_an_error(small, faces) -> None:
    with pytest.raises(ModelError, match=r"gone\.safetensors does not exist"):
        train(faces, **SHORT, init="model:gone.safetensors")


def test_a_warm_start_means_from_scratch(small, faces, tmp_path) -> None:
    (tmp_path / "packaged.safetensors").write_bytes(b"not a model")
    train(faces, **WARM)
    assert small.calls[0]["kind"] == "reconstruct"
    with pytest.raises(UsageError, match="--init scratch"):
        train(faces, **WARM, name="b", init="model")
    with pytest.raises(UsageError, match="--anchor-weight"):
        train(faces, **SHORT, name="c", init="scratch", anchor_weight=1.0)


# ---------------------------------------------------------------------- recipes


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("init", ["scratch", "model"])
def test_a_recipe_is_complete_by_itself(small, faces, recipe, init) -> None:
    settings = resolve(faces, {"recipe": recipe, "init": init}).settings
    settled = {name: getattr(settings, name) for name in RECIPES[recipe]}
    left_out = {name for name, value in settled.items() if value != RECIPES[recipe][name]}
    assert settings.recipe == recipe
    if init == "scratch":
        assert left_out == set()
    else:
        # Latents mean something else to a model of other faces.
        assert left_out <= {*OF_THE_WARM_START}
        assert (settings.warm_start, settings.anchor_weight, settings.identity_codes) == (0, 0, 0)


def test_the_recipe_of_the_original_is_the_defaults(small, faces) -> None:
    plan = resolve(faces, {"recipe": "original", "init": "scratch"})
    expected = Settings(recipe="original", init="scratch", name="faces", epochs=25)
    assert plan.settings == expected


def test_what_is_given_stands_above_the_recipe(small, faces) -> None:
    given = {"recipe": "warm", "init": "scratch", "dropout": 0.5, "flip": False, "batch": 7}
    settings = resolve(faces, given).settings
    assert (settings.dropout, settings.flip, settings.batch) == (0.5, False, 7)
    assert settings.warm_start == RECIPES["warm"]["warm_start"]
    # Few images are too few for a warm start; without it nothing of it remains.
    settings = resolve(faces, {"recipe": "projected", "init": "scratch", "warm_start": 0}).settings
    assert (settings.warm_start, settings.anchor_weight, settings.identity_codes) == (0, 0, 0)
    assert settings.imagenet_weight == RECIPES["projected"]["imagenet_weight"]


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
    with pytest.raises(UsageError, match="--recipe must be original or warm or projected, not 'a'"):
        train(faces, **{**SHORT, "recipe": "a"})
    warm = {**SHORT, "recipe": "warm", "warm_start": 2, "warm_start_batch": 4}
    train(faces, **warm, init="scratch")
    settings = json.loads(Path("runs/faces/config.json").read_text())["settings"]
    assert settings["recipe"] == "warm"
    assert settings["chroma_weight"] == RECIPES["warm"]["chroma_weight"]
    with pytest.raises(UsageError, match=r"--recipe is warm in .* and cannot become projected"):
        train(faces, steps=12, recipe="projected")
    train(faces, steps=12)
    settings = json.loads(Path("runs/faces/config.json").read_text())["settings"]
    assert settings["recipe"] == "warm"
    assert settings["chroma_weight"] == RECIPES["warm"]["chroma_weight"]


# ---------------------------------------------------------------------- signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_after_the_step(small, faces, number, code, capfd) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    small.during_step = stop_at(3, number)
    with pytest.raises(Interrupted) as error:
        train(faces, **SHORT, name="mine")
    assert error.value.exit_code == code
    assert f"go on with: python -m ffgan train {faces} --name mine" in str(error.value)
    assert "\n" not in str(error.value)
    assert "step-00000003.safetensors" in checkpoints("mine")
    assert Path("runs/mine/model.safetensors").exists()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert signal.set_wakeup_fd(-1) == -1
    assert "once more to stop at once" in capfd.readouterr().err


def test_the_way_on_names_another_runs_folder(small, faces) -> None:
    small.during_step = stop_at(3)
    with pytest.raises(Interrupted, match=r"--name faces --runs elsewhere$"):
        train(faces, **SHORT, runs="elsewhere")


def test_an_interrupted_search_for_components_says_so(small, faces, monkeypatch) -> None:
    from ffgan.dataset import Dataset

    original = Dataset.image

    def interrupting(self: Dataset, index: int) -> UInt8:
        if index == 50:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.2)
        return original(self, index)

    monkeypatch.setattr(Dataset, "image", interrupting)
    with pytest.raises(Interrupted, match="before the first step"):
        train(faces, **WARM)


def test_training_works_in_a_thread(small, faces) -> None:
    before = signal.getsignal(signal.SIGINT)
    paths: list[Path] = []
    thread = threading.Thread(target=lambda: paths.append(train(faces, **SHORT)))
    thread.start()
    thread.join(60)
    assert paths[0].exists()
    assert signal.getsignal(signal.SIGINT) is before


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import pytest, test_training as t
with pytest.MonkeyPatch.context() as patch:
    t.use_small_trainer(patch)
    patch.setattr("ffgan.model.packaged_model", lambda: Path("none"))
    def wait(trainer, result):
        print("step", trainer.steps, flush=True)
        if trainer.steps == 7:
            time.sleep(float(sys.argv[3]))
    t.SmallTrainer.during_step = wait
    options = {"recipe": "original", "batch": 4, "steps": 10_000, "sample_every": 10_000}
    t.train(sys.argv[2], **options, checkpoint_every=2)
"""


def child(faces: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(faces), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "step 7\n":
            return process
    _, errors = process.communicate()
    raise AssertionError(errors)


def test_the_second_signal_ends_the_process_at_once(small, faces) -> None:
    with child(faces, 1000.0) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "once more to stop at once" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    found, damaged = RunFolder("runs/faces").newest()
    assert damaged == []
    assert found is not None
    assert found.step >= 6


def test_sigkill_leaves_a_run_that_goes_on(small, faces) -> None:
    with child(faces, 0.0) as process:
        time.sleep(0.3)
        process.kill()
    reached, damaged = RunFolder("runs/faces").newest()
    assert damaged == []
    assert reached is not None
    assert reached.step >= 6
    train(faces, steps=reached.step + 4, checkpoint_every=1, sample_every=10_000)
    assert len(small.calls) == 4
    train(faces, **{**SHORT, "steps": reached.step + 4}, name="whole")
    last = f"step-{reached.step + 4:08d}.safetensors"
    ours, whole = (
        read(Path("runs", run, "checkpoints", last)).tensors for run in ("faces", "whole")
    )
    assert {k: v.tobytes() for k, v in ours.items()} == {k: v.tobytes() for k, v in whole.items()}


# ---------------------------------------------------------------------- divergence


def test_nan_goes_back_once_and_on_with_other_data(small, faces, capsys) -> None:
    failed: list[int] = []

    def fail_once(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 6 and not failed:
            failed.append(len(small.calls))
            trainer.networks["generator"]["w"][:] = np.nan
            result["loss_g"] = float("nan")

    small.during_step = fail_once
    train(faces, **SHORT)
    shown = capsys.readouterr().err
    assert "training diverged at step 6: loss_g is nan; back at step 4" in shown
    assert [line["step"] for line in log("faces")] == [2, 4, 6, 8]
    drawn = [call["latents"].tobytes() for call in small.calls]
    # Six steps, then four from step 4 on, none of which repeats a draw.
    assert len(drawn) == 10
    assert len(set(drawn)) == 10
    last = read(RunFolder("runs/faces").paths()[-1])
    assert last.record["position"]["returns"] == 1
    assert last.record["position"]["offset"] == 2
    assert all(np.isfinite(tensor).all() for tensor in last.tensors.values())


def test_a_run_that_went_back_resumes_exactly(small, faces) -> None:
    def fail_once(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 6 and np.isfinite(result["loss_g"]) and not failed:
            failed.append(True)
            result["loss_g"] = float("inf")
        elif failed and trainer.steps == stop:
            stop_at(stop)(trainer, result)

    small.during_step = fail_once
    failed: list[bool] = []
    stop = -1
    train(faces, **SHORT, name="whole")
    failed, stop = [], 7
    with pytest.raises(Interrupted):
        train(faces, **SHORT, name="parts")
    small.during_step = None
    train(faces, name="parts")
    last = "step-00000008.safetensors"
    assert checkpoints("parts")[last] == checkpoints("whole")[last]


def test_a_second_divergence_ends_it(small, faces) -> None:
    def fail(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 6:
            result["loss_d"] = float("nan")

    small.during_step = fail
    with pytest.raises(DivergedError, match=r"at step 6: loss_d is nan, after going back once"):
        train(faces, **SHORT)
    found, _ = RunFolder("runs/faces").newest()
    assert found is not None
    assert found.step == 4


def test_parameters_that_are_not_finite_are_never_saved(small, faces) -> None:
    failed: list[bool] = []

    def fail_once(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 8 and not failed:
            failed.append(True)
            trainer.networks["averaged"]["w"][3] = np.inf

    small.during_step = fail_once
    train(faces, **SHORT)
    generator, metadata = json.loads(Path("runs/faces/model.safetensors").read_text())
    assert np.isfinite(generator["w"]).all()
    assert metadata["steps"] == "8"
    assert len(small.calls) == 12


def test_the_warm_start_goes_back_too(small, faces) -> None:
    failed: list[bool] = []

    def fail_once(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 3 and not failed:
            failed.append(True)
            result["loss"] = float("nan")

    small.during_step = fail_once
    train(faces, **WARM)
    assert log("faces")[-1]["step"] == 13
    assert len(small.calls) == 13 + 3


@pytest.mark.parametrize(
    "answers",
    [
        {"loss_d": 1e-6, "accuracy_real": 1.0, "accuracy_fake": 1.0},
        {"loss_d": 1.386, "accuracy_real": 1.0, "accuracy_fake": 0.0},
        {"loss_d": 1.386, "accuracy_real": 0.0, "accuracy_fake": 1.0},
    ],
    ids=["has won", "says yes to all", "says no to all"],
)
def test_a_collapsed_discriminator_is_detected(small, faces, answers, monkeypatch, capsys) -> None:
    monkeypatch.setattr(training, "COLLAPSE_STEPS", 5)
    settings = {**SHORT, "steps": 40, "checkpoint_every": 3, "keep_checkpoints": 1}

    def collapse(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps > 10:
            result.update(answers)

    small.during_step = collapse
    with pytest.raises(DivergedError, match="discriminator has collapsed for 5 steps"):
        train(faces, **settings)
    # Back to before it began, although checkpoints were taken while it went on.
    assert "back at step 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answers",
    [
        {"loss_d": 0.01, "accuracy_real": 1.0, "accuracy_fake": 1.0},
        {"loss_d": 1.386, "accuracy_real": 0.5, "accuracy_fake": 0.5},
        {"loss_d": 2.0, "accuracy_real": 0.25, "accuracy_fake": 0.0},
    ],
    ids=["strong", "undecided", "weak"],
)
def test_a_healthy_discriminator_is_left_alone(small, faces, answers, monkeypatch) -> None:
    monkeypatch.setattr(training, "COLLAPSE_STEPS", 5)
    small.during_step = lambda trainer, result: result.update(answers)
    train(faces, **{**SHORT, "steps": 40})
    assert len(small.calls) == 40


def test_few_collapsed_steps_are_healthy(small, faces, monkeypatch) -> None:
    monkeypatch.setattr(training, "COLLAPSE_STEPS", 5)

    def now_and_then(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps % 5:
            result.update(accuracy_real=1.0, accuracy_fake=0.0)

    small.during_step = now_and_then
    train(faces, **{**SHORT, "steps": 40})
    assert len(small.calls) == 40


def test_a_discriminator_that_learns_alone_may_win(small, faces, monkeypatch) -> None:
    monkeypatch.setattr(training, "COLLAPSE_STEPS", 5)

    def win(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps <= 30:
            result.update(loss_d=1e-6, accuracy_real=1.0, accuracy_fake=1.0)

    small.during_step = win
    train(faces, **{**SHORT, "steps": 40}, discriminator_warmup=30)
    assert len(small.calls) == 40


# ---------------------------------------------------------------------- held-out images

MEASURED = {"evaluate_every": 4, "evaluate_samples": 16}


def read_small_model(path: Path) -> tuple[dict[str, str], None]:
    try:
        return json.loads(path.read_text())[1], None
    except ValueError as error:
        raise ModelError(f"{path} is damaged") from error


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("data") / "strangers", 20)


@pytest.fixture
def off(small: type[SmallTrainer], monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How much too bright the samples are after how many steps; features are mean colours."""
    brightness: dict[int, int] = {}
    sample = SmallTrainer.sample

    def bright(trainer: SmallTrainer, latents: Float32, averaged: bool = True) -> UInt8:
        return sample(trainer, latents, averaged) // 2 + np.uint8(brightness.get(trainer.steps, 0))

    def colours(name: str) -> features.Network:
        return features.Network("faces", "", lambda x: x.mean(axis=(1, 2), dtype=np.float32))

    monkeypatch.setattr(SmallTrainer, "sample", bright)
    monkeypatch.setattr(features, "load", colours)
    monkeypatch.setattr("ffgan.model.read_model", read_small_model)
    return brightness


def evaluations(run: str) -> dict[int, float]:
    lines = [line for line in log(run) if line["stage"] == "evaluation"]
    return {line["step"]: line["frechet_distance"] for line in lines}


def best(run: str) -> dict[str, Any]:
    metadata, _ = read_small_model(Path("runs", run, "best.safetensors"))
    return json.loads(metadata["evaluation"])


def test_the_best_model_is_kept(small, faces, strangers, off, capsys) -> None:
    off |= {4: 100, 8: 60, 12: 120}
    train(faces, **{**SHORT, "steps": 13}, **MEASURED, heldout=strangers)
    figures = evaluations("faces")
    assert list(figures) == [4, 8, 12, 13]
    assert min(figures, key=lambda step: figures[step]) == 8
    record = best("faces")
    assert (record["step"], record["held_out"]["samples"]) == (8, 16)
    assert record["frechet_distance"] == pytest.approx(figures[8], abs=1e-6)
    generator, metadata = json.loads(Path("runs/faces/best.safetensors").read_text())
    assert metadata["steps"] == "8"
    checkpoint = read(Path("runs/faces/checkpoints/step-00000008.safetensors"))
    assert generator["w"] == checkpoint.tensors["trainer.averaged.w"].tolist()
    assert str(strangers) not in json.dumps(metadata)
    shown = capsys.readouterr().err
    assert f"step 8: Frechet distance {figures[8]:.2f} on 16 held-out images; best: " in shown
    assert f"the best was {figures[8]:.2f}" in shown
    report = Path("runs/faces/report.html").read_text()
    assert f"the best Frechet distance on held-out images is {figures[8]:.2f}, after step 8" in (
        report
    )
    assert 'aria-label="Held-out images"' in report
    steps = [line["step"] for line in log("faces")]
    assert steps == sorted(steps)


@pytest.mark.parametrize("settings", [SHORT, WARM], ids=["plain", "warm start and anchor"])
def test_being_measured_changes_nothing(small, faces, strangers, off, settings) -> None:
    train(faces, **settings, name="alone")
    train(faces, **settings, **{**MEASURED, "evaluate_every": 3}, heldout=strangers, name="seen")
    names = [path.name for path in RunFolder("runs/alone").paths()]
    assert names == [path.name for path in RunFolder("runs/seen").paths()]
    for name in names:
        alone, seen = (read(Path("runs", run, "checkpoints", name)) for run in ("alone", "seen"))
        assert alone.tensors.keys() == seen.tensors.keys()
        for key, tensor in alone.tensors.items():
            np.testing.assert_array_equal(tensor, seen.tensors[key])
        assert alone.record["position"] == seen.record["position"]
    models = [Path("runs", run, "model.safetensors").read_bytes() for run in ("alone", "seen")]
    assert models[0] == models[1]
    assert len(evaluations("seen")) == len(small.calls) // 2 // 3 + 1


@pytest.mark.parametrize("stop", [1, 4, 5, 7])
def test_an_interrupted_run_keeps_the_same_best(small, faces, strangers, off, stop) -> None:
    off |= {4: 60, 8: 100}
    train(faces, **SHORT, **MEASURED, heldout=strangers, name="whole")
    small.during_step = stop_at(stop)
    with pytest.raises(Interrupted):
        train(faces, **SHORT, **MEASURED, heldout=strangers, name="parts")
    small.during_step = None
    train(faces, name="parts")
    last = "step-00000008.safetensors"
    assert checkpoints("parts")[last] == checkpoints("whole")[last]
    assert evaluations("parts") == evaluations("whole")
    kept = [Path("runs", run, "best.safetensors").read_bytes() for run in ("parts", "whole")]
    assert kept[0] == kept[1]
    assert best("parts")["step"] == 4


def test_an_evaluation_that_was_cut_short_comes_first_when_the_run_goes_on(
    small, faces, strangers, off, monkeypatch
) -> None:
    sample = SmallTrainer.sample

    def interrupting(trainer: SmallTrainer, latents: Float32, averaged: bool = True) -> UInt8:
        # Grids are of 4 faces, evaluations of 16.
        if trainer.steps == 4 and len(latents) == 16:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.2)
        return sample(trainer, latents, averaged)

    with monkeypatch.context() as patch:
        patch.setattr(SmallTrainer, "sample", interrupting)
        with pytest.raises(Interrupted, match="stopped after step 4"):
            train(faces, **SHORT, **MEASURED, heldout=strangers)
    assert evaluations("faces") == {}
    assert list(checkpoints("faces"))[-1] == "step-00000004.safetensors"
    assert not Path("runs/faces/best.safetensors").exists()
    train(faces)
    assert list(evaluations("faces")) == [4, 8]
    train(faces, steps=9)
    assert list(evaluations("faces")) == [4, 8, 9]


def test_the_best_of_steps_that_were_lost_stays(small, faces, strangers, off) -> None:
    off |= {4: 100, 8: 60}
    train(faces, **SHORT, **MEASURED, heldout=strangers)
    kept = Path("runs/faces/best.safetensors").read_bytes()
    Path("runs/faces/checkpoints/step-00000008.safetensors").unlink()
    # At another learning rate what was step 8 does not come again, nor is 8 any better than it was.
    off[8] = 80
    train(faces, steps=8, learning_rate_g=1e-3)
    assert list(evaluations("faces")) == [4, 8]
    assert Path("runs/faces/best.safetensors").read_bytes() == kept
    off[12] = 62
    train(faces, steps=12)
    assert best("faces")["step"] == 12


def test_figures_of_other_images_are_not_compared(small, faces, strangers, off, tmp_path) -> None:
    off |= {4: 60, 8: 100}
    train(faces, **{**SHORT, "steps": 4}, **MEASURED, heldout=strangers)
    train(faces, steps=8, heldout=make_images(tmp_path / "others", 17))
    assert best("faces")["step"] == 8
    config = json.loads(Path("runs/faces/config.json").read_text())
    assert config["changes"][0]["settings"]["heldout"] == [str(strangers), str(tmp_path / "others")]


def test_a_damaged_best_model_costs_a_line(small, faces, strangers, off, capsys) -> None:
    off |= {4: 60, 8: 100}
    train(faces, **{**SHORT, "steps": 4}, **MEASURED, heldout=strangers)
    Path("runs/faces/best.safetensors").write_text("half of a mod")
    train(faces, steps=8)
    assert "best.safetensors is damaged; this evaluation's model takes its place" in (
        capsys.readouterr().err
    )
    assert best("faces")["step"] == 8


def test_parameters_that_are_not_finite_are_never_the_best(small, faces, strangers, off) -> None:
    failed: list[bool] = []

    def fail_once(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 8 and not failed:
            failed.append(True)
            trainer.networks["discriminator"]["w"][3] = np.nan

    off |= {4: 100, 8: 60}
    small.during_step = fail_once
    train(faces, **SHORT, **MEASURED, heldout=strangers)
    assert list(evaluations("faces")) == [4, 8]
    assert np.isfinite(json.loads(Path("runs/faces/best.safetensors").read_text())[0]["w"]).all()


def test_what_is_fine_tuned_may_be_the_best_already(
    small, faces, strangers, off, tmp_path, monkeypatch
) -> None:
    class Small:
        discriminator = "program"
        parameters: ClassVar = {
            f"{network}.w": np.ones(8, np.float32) for network in ("generator", "discriminator")
        }

    monkeypatch.setattr("ffgan.model.Model.load", lambda path: Small)
    off |= {0: 60, 4: 100, 8: 100}
    train(faces, **SHORT, **MEASURED, heldout=strangers, init="model:mine")
    assert list(evaluations("faces")) == [0, 4, 8]
    assert best("faces")["step"] == 0


def test_measuring_can_be_switched_on_and_off_on_the_way(small, faces, strangers, off) -> None:
    train(faces, **{**SHORT, "steps": 4})
    train(faces, steps=8, **MEASURED, heldout=strangers)
    train(faces, steps=12, evaluate_every=0)
    train(faces, steps=16, evaluate_every=4)
    assert list(evaluations("faces")) == [4, 8, 12, 16]


def test_held_out_images_have_to_be_held_out(small, faces, strangers, off, tmp_path) -> None:
    (tmp_path / "inside").symlink_to(faces)
    cases = [
        ({"evaluate_every": 4}, "give --heldout DIR"),
        ({"heldout": faces}, "are not apart: move the held-out images to a folder of their own"),
        ({"heldout": faces.parent}, "are not apart"),
        ({"heldout": tmp_path / "inside"}, "are not apart"),
    ]
    for settings, message in cases:
        with pytest.raises(UsageError, match=message):
            train(faces, **SHORT, **settings)
    with pytest.raises(
        DatasetError, match=r"has 20 images that can be read, too few for --evaluate-samples 500"
    ):
        train(faces, **SHORT, heldout=strangers)
    with pytest.raises(DatasetError, match="no such folder"):
        train(faces, **SHORT, heldout=tmp_path / "none")
    assert not Path("runs").exists()


def test_without_the_extra_it_is_refused_before_anything_is_made(
    small, faces, strangers, monkeypatch
) -> None:
    found = efficientnet.find_spec
    monkeypatch.setattr(
        efficientnet, "find_spec", lambda name: None if "efficientnet" in name else found(name)
    )
    imagenet.load_session.cache_clear()
    with pytest.raises(ExtraError, match=r"--heldout .* pip install 'ffgan\[evaluate\]'$") as error:
        train(faces, **SHORT, **MEASURED, heldout=strangers)
    assert error.value.exit_code == 2
    assert not Path("runs").exists()


def test_an_interrupted_look_at_the_held_out_images_says_so(
    small, faces, strangers, off, monkeypatch
) -> None:
    load = features.load

    def interrupting(name: str) -> features.Network:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)
        return load(name)

    monkeypatch.setattr(features, "load", interrupting)
    with pytest.raises(Interrupted, match="before the first step"):
        train(faces, **SHORT, **MEASURED, heldout=strangers)
    assert not Path("runs").exists()


def test_a_dry_run_counts_the_evaluations(small, faces, strangers, off) -> None:
    text = dry_run(
        faces, recipe="original", batch=4, steps=8, heldout=str(strangers), evaluate_samples=17
    )
    assert "evaluate-every: 1000" in text
    assert "held-out images: 17 of 20" in text
    assert re.search(r"seconds per evaluation: \d+\.\d", text)
    assert not Path("runs").exists()


# ---------------------------------------------------------------------- bad input


def test_a_folder_without_images_leaves_nothing_behind(small, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        with pytest.raises(DatasetError):
            train(tmp_path / folder, **SHORT)
    assert not Path("runs").exists()


def test_a_runs_folder_that_cannot_be_written_is_one_line(small, faces) -> None:
    Path("file").write_text("")
    with pytest.raises(CheckpointError, match=r"cannot write file/faces.*--runs") as error:
        train(faces, **SHORT, runs="file")
    assert "\n" not in str(error.value)


def test_broken_images_are_no_reason_to_stop(small, faces, tmp_path, capsys) -> None:
    folder = make_images(tmp_path / "mixed", 20)
    (folder / "005.jpg").write_bytes(b"broken")
    train(folder, **{**SHORT, "steps": 10})
    assert "005.jpg" in Path("runs/mixed/skipped.log").read_text()
    assert "1 broken files skipped" in capsys.readouterr().err


# ---------------------------------------------------------------------- dry run


def test_a_dry_run_tells_and_writes_nothing(small, faces) -> None:
    def slowly(trainer: SmallTrainer, result: dict[str, float]) -> None:
        time.sleep(0.1)

    small.during_step = slowly
    text = dry_run(faces, recipe="original", batch=4, warm_start=100, warm_start_batch=2)
    assert not Path("runs").exists()
    assert f"images: {IMAGES}" in text
    assert "starts from: scratch, after a warm start of 100 steps" in text
    assert "steps: 100 warm start, 813 adversarial" in text
    assert "epochs: 25" in text
    found = re.search(r"estimated time: (\d+):(\d\d):(\d\d)", text)
    assert found is not None
    hours, minutes, seconds = map(int, found.groups())
    assert 91 <= hours * 3600 + minutes * 60 + seconds <= 300


def test_a_dry_run_of_a_run_that_goes_on_uses_its_settings(small, faces) -> None:
    train(faces, **SHORT)
    before = checkpoints("faces")
    text = dry_run(faces, steps=20)
    assert "batch: 4" in text
    assert "steps: 0 warm start, 12 adversarial" in text
    assert f"starts from: step 8 of {Path('runs/faces')}" in text
    assert checkpoints("faces") == before


# ---------------------------------------------------------------------- the real networks


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # 256 latents are for good statistics; here they would only take time.
    monkeypatch.setattr(training, "STATISTICS_LATENTS", 8)
    monkeypatch.setattr(training, "SAMPLES", 4)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"augment": "all", "ema": 0.9, "chroma_weight": 1.0, "grid_weight": 1.0},
        {"warm_start": 2, "warm_start_batch": 2, "anchor_weight": 1.0, "flip": True},
        {"discriminator_norm": "fixed", "loss": "relativistic", "projected_weight": 1.0},
        {
            "discriminator_norm": "fixed",
            "projected_weight": 1.0,
            "identity_weight": 1.0,
            "matching_weight": 1.0,
            "perceptual_weight": 1.0,
            "warm_start": 1,
            "warm_start_batch": 2,
            "anchor_weight": 1.0,
            "identity_codes": 10,
        },
        {"discriminator_norm": "fixed", "imagenet_weight": 1.0, "matching_weight": 1.0},
    ],
    ids=["augmented", "warm start and anchor", "projected", "identities", "imagenet"],
)
def test_real_training_resumes_with_the_same_bytes(real, faces, settings) -> None:
    from ffgan import faces as dlib_files
    from ffgan.model import Model

    try:
        if "projected_weight" in settings:
            dlib_files.recognition_file()
        if "imagenet_weight" in settings:
            features.training_network()
    except ExtraError as error:
        pytest.skip(str(error))
    settings = {**settings, "init": "scratch", "recipe": "original", "batch": 2, "threads": 1}
    last = 3 + settings.get("warm_start", 0)
    train(faces, **settings, steps=3, name="whole")
    train(faces, **settings, steps=1, name="parts")
    train(faces, steps=3, name="parts")
    name = f"step-{last:08d}.safetensors"
    assert checkpoints("parts")[name] == checkpoints("whole")[name]
    whole, parts = (Model.load(f"runs/{run}/model.safetensors") for run in ("whole", "parts"))
    assert whole.hash == parts.hash
    assert whole.metadata == parts.metadata
    assert (
        whole.generate(1, seed=3, tries=1).tobytes() == parts.generate(1, seed=3, tries=1).tobytes()
    )


@pytest.mark.slow
def test_identity_codes_can_be_taken_up_changed_and_left(real, faces, capsys) -> None:
    from ffgan import faces as dlib_files
    from ffgan.model import by_network
    from ffgan.training.identity_codes import IdentityCodes, embed

    try:
        dlib_files.recognition_file()
    except ExtraError as error:
        pytest.skip(str(error))

    def found() -> IdentityCodes | None:
        tensors = by_network(read(RunFolder("runs/faces").paths()[-1]).tensors)
        return (
            IdentityCodes.from_tensors(tensors["identity_codes"])
            if "identity_codes" in tensors
            else None
        )

    train(faces, init="model", recipe="original", batch=2, steps=1, anchor_weight=1.0)
    assert found() is None
    train(faces, steps=2, identity_codes=10)
    first = found()
    assert first is not None
    assert len(first) == 10
    assert "with 10 of their own in place of the last ones, the components hold" in (
        capsys.readouterr().err
    )
    train(faces, steps=3)  # nothing is found again
    assert "in place of the last ones" not in capsys.readouterr().err
    again = found()
    assert again is not None
    assert again.slope.tobytes() == first.slope.tobytes()
    train(faces, steps=4, identity_codes=5)
    fewer = found()
    assert fewer is not None
    assert len(fewer) == 5
    train(faces, steps=5, identity_codes=0)
    assert found() is None
    assert embed(np.zeros((1, 162, 162, 3), np.uint8)).shape == (1, 128)


@pytest.mark.slow
def test_checkpoints_can_be_averaged(real, faces) -> None:
    from ffgan.model import Model, by_network

    train(
        faces,
        init="scratch",
        recipe="original",
        batch=2,
        steps=2,
        checkpoint_every=1,
        seed=7,
        name="a",
    )
    run = RunFolder("runs/a")
    paths = [path for path in run.paths() if read(path).step > 0]
    tool = Path(__file__).parents[2] / "tools" / "average_checkpoints.py"
    command = [sys.executable, str(tool), str(run.model), "mean.safetensors"]
    said = subprocess.run(
        command + [str(path) for path in paths], capture_output=True, text=True, check=True
    )
    assert said.stdout == "mean.safetensors: the mean of steps 1, 2\n"
    mean, last = Model.load("mean.safetensors"), Model.load(run.model)
    assert mean.metadata["mean_of_steps"] == "1,2"
    assert mean.metadata["settings"] == last.metadata["settings"]
    one, two = (by_network(read(path).tensors)["trainer"] for path in paths)
    for name, array in mean.parameters.items():
        network, _, rest = name.partition(".")
        if network == "discriminator":
            np.testing.assert_array_equal(array, last.parameters[name])
        elif rest.endswith("weight"):
            expected = (one[f"averaged.{rest}"] + two[f"averaged.{rest}"]) / 2
            np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-7)
    assert mean.generate(1, seed=1).shape == (1, 162, 162, 3)


@pytest.mark.slow
def test_images_that_the_discriminator_does_not_know_are_told(real, faces, strangers) -> None:
    grey = Path("grey")
    grey.mkdir()
    (grey / "a.png").write_bytes(images.encode(np.full((162, 162, 3), 128, np.uint8), "png"))
    tool = Path(__file__).parents[2] / "tools" / "held_out_losses.py"

    def said(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tool), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def differences(held_out: Path) -> dict[str, tuple[float, float]]:
        done = said("runs/a", faces, held_out, "--batches", 8)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()[1:]
        row = re.compile(r"(.+?)  .* ([+-][\d.]+) \(standard error ([\d.]+)\)")
        found = [row.fullmatch(line) for line in lines]
        return {m[1]: (float(m[2]), float(m[3])) for m in found if m}

    settings = {"recipe": "original", "init": "scratch", "batch": 4, "dropout": 0.0, "name": "a"}
    train(faces, **settings, discriminator_norm="fixed", steps=30)
    before = RunFolder("runs/a").paths()[-1].read_bytes()
    # The strangers are pictures of the training images.
    loss, error = differences(strangers)["pixels, loss"]
    assert abs(loss) < 4 * error
    loss, error = differences(grey)["pixels, loss"]
    assert loss > 4 * error
    right, _ = differences(grey)["pixels, right"]
    assert right < 0
    assert RunFolder("runs/a").paths()[-1].read_bytes() == before
    done = said("runs/none", faces, grey)
    assert done.returncode == 1
    assert done.stderr.startswith("error: runs/none has no checkpoint to resume")


@pytest.mark.slow
def test_a_real_model_can_be_fine_tuned(real, faces) -> None:
    from ffgan.model import Model

    first = train(faces, init="scratch", recipe="original", batch=2, steps=1, name="a")
    second = train(
        faces,
        init=f"model:{first}",
        recipe="original",
        batch=2,
        steps=1,
        learning_rate_g=1e-7,
        name="b",
    )
    before, after = Model.load(first), Model.load(second)
    assert before.hash != after.hash
    # At this learning rate one step is too short to be seen: the weights are those of the model.
    for name, array in before.parameters.items():
        if name.startswith("generator.") and name.endswith("weight"):
            np.testing.assert_allclose(after.parameters[name], array, atol=1e-5)


@pytest.mark.slow
def test_the_command_trains_and_stops_on_ctrl_c(tmp_path: Path, faces: Path) -> None:
    command = [sys.executable, "-m", "ffgan", "train", str(faces), "--runs", str(tmp_path / "runs")]
    command += [
        "--init",
        "scratch",
        "--recipe",
        "original",
        "--batch",
        "2",
        "--steps",
        "100000",
        "--log-every",
        "1",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 1/"):
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert f"python -m ffgan train {faces} --name faces --runs {tmp_path / 'runs'}" in errors
    found, _ = RunFolder(tmp_path / "runs" / "faces").newest()
    assert found is not None
    assert found.step >= 1


@pytest.mark.slow
def test_being_measured_changes_nothing_of_real_training(real, faces, strangers) -> None:
    from ffgan import evaluation
    from ffgan.model import Model

    settings = {
        "init": "scratch",
        "recipe": "original",
        "batch": 2,
        "threads": 1,
        "warm_start": 2,
        "warm_start_batch": 2,
    }
    settings |= {"augment": "all", "ema": 0.9, "steps": 2}
    train(faces, **settings, name="alone")
    measured = {"heldout": strangers, "evaluate_every": 1, "evaluate_samples": 16}
    train(faces, **settings, **measured, name="seen")
    name = "step-00000004.safetensors"
    alone, seen = (read(Path("runs", run, "checkpoints", name)) for run in ("alone", "seen"))
    for key, tensor in alone.tensors.items():
        assert tensor.tobytes() == seen.tensors[key].tobytes(), key
    models = [Path("runs", run, "model.safetensors").read_bytes() for run in ("alone", "seen")]
    assert models[0] == models[1]
    figures = evaluations("seen")
    assert list(figures) == [1, 2, 3, 4]
    # What the record says is what the model does.
    kept = Model.load("runs/seen/best.safetensors")
    record = json.loads(kept.metadata["evaluation"])
    assert record["frechet_distance"] == pytest.approx(min(figures.values()), abs=1e-6)
    with Dataset(strangers) as dataset:
        images_held_out = next(evaluation.real_images(dataset, 16, []))
    again = evaluation.quick(kept.render(kept.latents(16, 0)), images_held_out)
    assert again["frechet_distance"] == pytest.approx(record["frechet_distance"], rel=1e-9)


def test_the_spectral_norms_of_the_discriminator_can_be_held(load_tool) -> None:
    settings = {"discriminator_norm": "fixed", "learning_rate_d": 0.03, "dropout": 0.0}
    free = _core.Trainer(seed=3, **settings)
    held = load_tool("spectral_norms").HeldNorms(_core.Trainer(seed=3, **settings))

    def norms(trainer: Any) -> dict[str, float]:
        return {
            name: float(np.linalg.norm(p.reshape(len(p), -1), 2))
            if p.ndim > 1
            else float(np.abs(p).max())
            for name, p in trainer.parameters("discriminator").items()
            if name.endswith(".weight")
        }

    draw = np.random.default_rng(0)
    for step in range(3):
        x = draw.integers(0, 256, (4, 162, 162, 3), np.uint8)
        z = draw.standard_normal((4, 100)).astype(np.float32)
        for trainer in (free, held):
            trainer.step(x, z)
        if step == 0:
            first = norms(free)
            assert norms(held) == pytest.approx(first, rel=0.03)
    assert held.steps == free.steps == 3  # the rest of a trainer is the trainer's
    assert any(norm > 1.2 * first[name] for name, norm in norms(free).items())
    assert all(norm < 1.03 * first[name] for name, norm in norms(held).items())


@pytest.mark.slow
def test_a_run_with_held_spectral_norms_is_a_run(real, faces) -> None:
    from ffgan.model import Model

    tool = Path(__file__).parents[2] / "tools" / "spectral_norms.py"
    options = "--recipe original --init scratch --batch 4 --dropout 0 --discriminator-norm fixed"
    command = [sys.executable, str(tool), str(faces), *options.split(), "--steps", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Model.load("runs/faces/model.safetensors").metadata["steps"] == "3"
