# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop with a small trainer: what it feeds the networks, when it ends, what it leaves."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.training import (
    IMAGES,
    SHORT,
    WARM,
    RecordingWindow,
    SmallTrainer,
    checkpoints,
    log,
    make_images,
)

from ffgan import images
from ffgan.dataset import Dataset
from ffgan.errors import (
    CheckpointError,
    DatasetError,
    DisplayError,
)
from ffgan.latent import noise
from ffgan.progress import Progress
from ffgan.training import dry_run, train
from ffgan.training.run_folder import RunFolder, read
from ffgan.training.warm_start import PrincipalComponents
from ffgan.typing import Float32


def test_a_run_leaves_everything_the_folder_promises(small, faces, caplog) -> None:
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


def test_the_caller_is_told_of_every_step_and_nobody_else(small, faces, capfd) -> None:
    seen: list[Progress] = []
    train(faces, **WARM, progress=seen.append)
    assert tuple(capfd.readouterr()) == ("", "")
    stages = [(told.stage, told.done, told.total) for told in seen if told.stage != "components"]
    assert stages == [("warm start", step, 13) for step in range(1, 6)] + [
        ("adversarial", step, 13) for step in range(6, 14)
    ]
    last = seen[-1]
    assert (last.fraction, last.seconds_left, last.notable) == (1.0, 0.0, False)
    assert last.images_per_second is not None and last.images_per_second > 0
    assert last.measures["accuracy_real"] == 0.75
    # Of the images for the components, and as often as there are lines in train.jsonl.
    assert next(told for told in seen if told.done == IMAGES).fraction == 1.0
    notable = [told.done for told in seen if told.notable and told.stage != "components"]
    assert notable == [1, 2, 4, 6, 8, 10, 12]


def test_an_error_of_the_caller_ends_the_run(small, faces) -> None:
    def fail(told: Progress) -> None:
        raise RuntimeError("no room on the screen")

    with pytest.raises(RuntimeError, match="no room"):
        train(faces, **SHORT, progress=fail)


def test_small_images_are_told_before_the_first_step(small, tmp_path, caplog) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for i in range(4):
        picture = np.full((100, 100, 3), 60 * i, np.uint8)
        (folder / f"{i}.png").write_bytes(images.encode(picture, "png"))
    at_first_step: list[str] = []

    def note(trainer: SmallTrainer, result: dict[str, float]) -> None:
        at_first_step.append(caplog.text)

    small.during_step = note
    train(folder, **SHORT)
    assert "warning: 4 of all 4 images are under 162 pixels and are enlarged" in at_first_step[0]
    assert "under 162 pixels" in dry_run(folder, **SHORT, name="other")


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

    train(faces, **SHORT)
    grids = [path.read_bytes() for path in sorted(Path("runs/faces/samples").glob("*.png"))]
    first, second = (images.decode(grid) for grid in grids)
    assert first.shape == (2 * 162, 2 * 162, 3)
    np.testing.assert_array_equal(first, second)
    expected = np.clip(128 + 40 * noise(3)[:3], 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(first[162 + 80, 162 + 80], expected)
    assert b"seeds\x000 to 3" in grids[0]


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


def test_latents_and_images_are_functions_of_seed_and_step(small, faces) -> None:
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
    components = PrincipalComponents.from_tensors(basis)
    for call in warm:
        np.testing.assert_array_equal(call["latents"], components.codes(call["real"]))
    rates = [call["learning_rate"] for call in warm]
    assert rates[0] == pytest.approx(2e-3)
    assert rates == sorted(rates, reverse=True)
    for call in steps:
        known = call["real"][:2]  # half of the batch
        assert call["anchored"] == 2
        np.testing.assert_array_equal(call["latents"][:2], components.codes(known))
        given = call["self"].settings
        assert (given["anchor_weight"], given["anchor_skip"]) == (0.5, 0)
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


def test_broken_images_are_no_reason_to_stop(small, faces, tmp_path, caplog) -> None:
    folder = make_images(tmp_path / "mixed", 20)
    (folder / "005.jpg").write_bytes(b"broken")
    (folder / "gone.jpg").symlink_to("nowhere")  # found before there is a run folder
    train(folder, **{**SHORT, "steps": 10})
    log = Path("runs/mixed/skipped.log").read_text()
    assert "005.jpg" in log and "gone.jpg\tthe link leads nowhere\n" in log
    assert "1 broken file skipped" in caplog.text
    assert "not complete" not in caplog.text
