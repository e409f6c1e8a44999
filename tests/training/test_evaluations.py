# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are evaluated on held-out images on the way; with a small trainer."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.training import (
    MEASURED,
    SHORT,
    WARM,
    SmallModel,
    SmallTrainer,
    best,
    checkpoints,
    evaluations,
    log,
    make_images,
    stop_at,
)

from ffgan import features
from ffgan.errors import (
    DatasetError,
    ExtraError,
    UsageError,
)
from ffgan.features import efficientnet, imagenet
from ffgan.training import Interrupted, train
from ffgan.training.run_folder import RunFolder, read
from ffgan.training.validation import HeldOut
from ffgan.typing import Float32, UInt8


def test_the_best_model_is_kept(small, faces, strangers, off, caplog) -> None:
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
    shown = caplog.text
    assert f"step 8: Frechet distance {figures[8]:.2f} on 16 held-out images; best: " in shown
    assert f"the best was {figures[8]:.2f}" in shown
    report = Path("runs/faces/report.html").read_text()
    assert f"the best Frechet distance on held-out images is {figures[8]:.2f}, after step 8" in (
        report
    )
    assert 'aria-label="Held-out images"' in report
    steps = [line["step"] for line in log("faces")]
    assert steps == sorted(steps)


@pytest.mark.slow
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


def test_figures_of_other_images_are_not_compared(
    small, faces, strangers, off, tmp_path, caplog
) -> None:
    off |= {4: 60, 8: 100}
    train(faces, **{**SHORT, "steps": 4}, **MEASURED, heldout=strangers)
    train(faces, steps=8, heldout=make_images(tmp_path / "others", 17))
    assert best("faces")["step"] == 8
    config = json.loads(Path("runs/faces/config.json").read_text())
    assert config["changes"][0]["settings"]["heldout"] == [str(strangers), str(tmp_path / "others")]
    assert "was measured on other held-out images or with another --evaluate-samples" in caplog.text


def test_a_damaged_best_model_costs_a_line(small, faces, strangers, off, caplog) -> None:
    off |= {4: 60, 8: 100}
    train(faces, **{**SHORT, "steps": 4}, **MEASURED, heldout=strangers)
    Path("runs/faces/best.safetensors").write_text("half of a mod")
    train(faces, steps=8)
    assert "best.safetensors is damaged; this evaluation's model takes its place" in (caplog.text)
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
    monkeypatch.setattr("ffgan.model.Model.load", lambda path: SmallModel)
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


def test_the_log_counts_the_time_of_an_evaluation(
    small, faces, strangers, off, monkeypatch
) -> None:
    measure = HeldOut.measure

    def slowly(self: HeldOut, *arguments: Any, **more: Any) -> Any:
        time.sleep(0.3)
        return measure(self, *arguments, **more)

    monkeypatch.setattr(HeldOut, "measure", slowly)
    train(faces, **{**SHORT, "steps": 4}, **MEASURED, heldout=strangers)
    before, evaluation = log("faces")[-2:]
    assert (before["stage"], evaluation["stage"]) == ("adversarial", "evaluation")
    assert evaluation["seconds"] >= before["seconds"] + 0.3
