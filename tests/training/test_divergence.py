# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that diverges goes back once, and on with other batches and latents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.training import (
    SHORT,
    WARM,
    SmallTrainer,
    checkpoints,
    log,
    stop_at,
)

from ffgan.errors import (
    DivergedError,
)
from ffgan.training import Interrupted, divergence, train
from ffgan.training.run_folder import RunFolder, read


def test_nan_goes_back_once_and_on_with_other_data(small, faces, caplog) -> None:
    failed: list[int] = []

    def fail_once(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps == 6 and not failed:
            failed.append(len(small.calls))
            trainer.networks["generator"]["w"][:] = np.nan
            result["loss_g"] = float("nan")

    small.during_step = fail_once
    train(faces, **SHORT)
    shown = caplog.text
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
def test_a_collapsed_discriminator_is_detected(small, faces, answers, monkeypatch, caplog) -> None:
    monkeypatch.setattr(divergence, "COLLAPSE_STEPS", 5)
    settings = {**SHORT, "steps": 40, "checkpoint_every": 3, "keep_checkpoints": 1}

    def collapse(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps > 10:
            result.update(answers)

    small.during_step = collapse
    with pytest.raises(DivergedError, match="discriminator has collapsed for 5 steps"):
        train(faces, **settings)
    # Back to before it began, although checkpoints were taken while it went on.
    assert "back at step 9" in caplog.text


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
    monkeypatch.setattr(divergence, "COLLAPSE_STEPS", 5)
    small.during_step = lambda trainer, result: result.update(answers)
    train(faces, **{**SHORT, "steps": 40})
    assert len(small.calls) == 40


def test_few_collapsed_steps_are_healthy(small, faces, monkeypatch) -> None:
    monkeypatch.setattr(divergence, "COLLAPSE_STEPS", 5)

    def now_and_then(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps % 5:
            result.update(accuracy_real=1.0, accuracy_fake=0.0)

    small.during_step = now_and_then
    train(faces, **{**SHORT, "steps": 40})
    assert len(small.calls) == 40


def test_a_discriminator_that_learns_alone_may_win(small, faces, monkeypatch) -> None:
    monkeypatch.setattr(divergence, "COLLAPSE_STEPS", 5)

    def win(trainer: SmallTrainer, result: dict[str, float]) -> None:
        if trainer.steps <= 30:
            result.update(loss_d=1e-6, accuracy_real=1.0, accuracy_fake=1.0)

    small.during_step = win
    train(faces, **{**SHORT, "steps": 40}, discriminator_warmup=30)
    assert len(small.calls) == 40
