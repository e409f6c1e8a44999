# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch is timed with the step of recipe `projected`: its losses and G's gradient agree."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks is not installed

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[oracle]'")

from benchmarks.engines import pytorch
from benchmarks.measure import recipe, workload
from benchmarks.output.rows import Task

# The losses of pixels, which PyTorch's step leaves out.
NO_PIXELS = {"chroma_weight": 0.0, "grid_weight": 0.0}


@pytest.mark.slow
def test_it_has_the_losses_and_the_gradient_of_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload.write(tmp_path)
    workload.write_recipe(tmp_path)
    if reason := workload.info(tmp_path).get("no_recipe"):
        pytest.skip(reason)
    trainer = recipe.trainer(recipe.NOT_RANDOM | NO_PIXELS)
    trainer.load_state(workload.parameters(tmp_path, "train-projected"))
    images, latents = workload.images(tmp_path, 16), workload.latents(tmp_path, 16)
    result = trainer.step(images, latents, anchored=recipe.ANCHORED)
    expected = trainer.gradients("generator")

    engine = pytorch.create("channels_last", tmp_path, 2, "f32")
    engine.prepare(Task("recipe", "projected", 16))
    training = engine.training  # type: ignore[attr-defined]
    found = {}

    def keep(**_: object) -> None:
        found.update({name: p.grad.numpy() for name, p in training.g.named_parameters()})

    monkeypatch.setattr(training.solver_g, "step", lambda: None)
    monkeypatch.setattr(training.solver_g, "zero_grad", keep)
    losses = training.first_losses()
    np.testing.assert_allclose(losses, [result[name] for name in recipe.MEASURES], rtol=1e-3)
    for name in ("conv1.weight", "conv3.weight", "conv6.weight", "norm2.weight"):
        ours, theirs = expected[name].ravel(), found[name.replace(".", "_")].ravel()
        # The anchor, a hundredth of the gradient, is not among PyTorch's losses.
        assert np.linalg.norm(ours - theirs) < 0.02 * np.linalg.norm(ours)
