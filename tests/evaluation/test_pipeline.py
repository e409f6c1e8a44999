# SPDX-License-Identifier: GPL-3.0-or-later
"""`evaluate` from a model and a folder to the figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.evaluation import patches, remembered

import ffgan
from ffgan import evaluation
from ffgan.errors import DatasetError, ModelError, UsageError
from ffgan.model import Model

COUNT = 48


@pytest.fixture(autouse=True)
def fewer_patches(networks: None) -> Iterator[None]:
    with patches():
        yield


@pytest.fixture
def quick() -> Iterator[None]:
    with remembered():
        yield


def test_evaluate_says_what_was_compared(figures: dict[str, Any], folder: Path) -> None:
    assert figures["samples"]["count"] == figures["real"]["count"] == 24
    assert figures["samples"]["first_seed"] == 5
    assert figures["samples"]["model_hash"] == ffgan.load().hash
    assert figures["real"]["directory"] == str(folder)
    assert figures["real"]["images"] == COUNT
    assert "EfficientNet-Lite0" in figures["measured_with"]["network"]
    assert "150x150" in figures["measured_with"]["identities"]


def test_evaluate_judges_the_first_draws(figures: dict[str, Any]) -> None:
    model = ffgan.load()
    scores = model.score(model.render(model.latents(24, 5)))
    accepted = float(np.mean(scores > model.threshold))
    discriminator = figures["discriminator"]
    assert discriminator["mean_score"]["samples"] == pytest.approx(scores.mean(), rel=1e-5)
    assert discriminator["accepted"]["samples"] == pytest.approx(accepted)
    tries = sum((1 - accepted) ** k for k in range(15))  # the k-th is made if k before it failed
    assert discriminator["mean_tries"] == pytest.approx(tries)


def test_twice_is_the_same_to_the_last_digit(figures: dict[str, Any], folder: Path) -> None:
    again = evaluation.evaluate(ffgan.load(), folder, samples=24, seed=5)
    assert json.dumps(again) == json.dumps(figures)


@pytest.mark.usefixtures("quick")
def test_candidates_are_those_of_gen(folder: Path) -> None:
    result = evaluation.evaluate(None, folder, samples=20, seed=3, candidates=True, tries=6)
    made = list(ffgan.load().faces(20, seed=3, tries=6))
    discriminator = result["discriminator"]
    assert discriminator["mean_tries"] == pytest.approx(np.mean([face.tries for face in made]))
    mean = np.mean([face.score for face in made])
    assert discriminator["mean_score"]["samples"] == pytest.approx(mean, abs=1e-4)
    assert "candidates taken of seeds 3 to 22" in evaluation.table(result)


@pytest.mark.usefixtures("quick")
def test_progress_is_told_to_the_end(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    evaluation.evaluate(
        None, folder, samples=20, feature_network="faces", progress=lambda *now: told.append(now)
    )
    assert told == [("real images", 20, 20), ("samples", 20, 20)]


@pytest.mark.parametrize(
    ("accepted", "tries", "expected"), [(1.0, 15, 1.0), (0.0, 15, 15.0), (0.5, 2, 1.5)]
)
def test_expected_tries(accepted: float, tries: int, expected: float) -> None:
    assert evaluation.expected_tries(accepted, tries) == pytest.approx(expected)


@pytest.mark.usefixtures("quick")
def test_errors_are_ffgans_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    with pytest.raises(DatasetError, match="0 images that can be read"):
        evaluation.evaluate(None, tmp_path)
    with pytest.raises(ModelError):
        evaluation.evaluate(tmp_path / "none.safetensors", folder)
    with pytest.raises(UsageError, match="15 samples: give from 16"):
        evaluation.evaluate(None, folder, samples=15)
    with pytest.raises(UsageError, match="seed"):
        evaluation.evaluate(None, folder, seed=-1)
    with pytest.raises(UsageError, match="give one of imagenet, faces, or"):
        evaluation.evaluate(None, folder, feature_network="inception")


@pytest.mark.usefixtures("quick")
def test_a_model_of_ones_own(folder: Path, tmp_path: Path) -> None:
    model = ffgan.load()
    copy = Model.load(model.save(tmp_path / "copy.safetensors"))
    result = evaluation.evaluate(copy.path, folder, samples=16, feature_network="faces")
    assert result["samples"]["model"] == str(copy.path)
    assert result["samples"]["model_hash"] == model.hash
