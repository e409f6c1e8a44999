# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that train or look at runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ffgan import _core, images
from ffgan.training import train
from ffgan.training.run_folder import RunFolder, read


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
