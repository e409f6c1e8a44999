# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the real networks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.training import (
    checkpoints,
    evaluations,
)

from ffgan import evaluation, features
from ffgan.dataset import Dataset
from ffgan.errors import (
    ExtraError,
)
from ffgan.training import train
from ffgan.training.run_folder import RunFolder, read


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
            "frechet_weight": 1.0,
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
def test_identity_codes_can_be_taken_up_changed_and_left(real, faces, caplog) -> None:
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
    assert "with 10 of the embedding in place of the last ones, the components hold" in (
        caplog.text
    )
    caplog.clear()
    train(faces, steps=3)  # nothing is found again
    assert "in place of the last ones" not in caplog.text
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
