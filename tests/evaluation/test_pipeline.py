# SPDX-License-Identifier: GPL-3.0-or-later
"""`evaluate` from a model and a folder to the figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.evaluation import patches, remembered
from support.ranks import ThreadCarrier, run_ranks

import ffgan
from ffgan import evaluation
from ffgan.errors import DatasetError, ModelError, UsageError
from ffgan.evaluation import pipeline, real_set
from ffgan.model import Model
from ffgan.ranks import Elsewhere, Ranks

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
@pytest.mark.parametrize("count", [2, 3])
def test_ranks_share_the_images_and_find_what_one_process_finds(
    count: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 5, and every sixth file is broken: the rest that is needed comes in more rounds."""
    for module in (pipeline, real_set):
        monkeypatch.setattr(module, "BLOCK", 5)
    shutil.copytree(folder, tmp_path / "real")
    for path in sorted((tmp_path / "real").rglob("*.png"))[::6]:
        path.write_bytes(path.read_bytes()[:100])

    def work(ranks: Ranks | None, cache: str | None = None) -> str:
        return json.dumps(
            evaluation.evaluate(
                None,
                tmp_path / "real",
                samples=37,
                candidates=True,
                tries=2,
                feature_network="faces",
                cache=None if cache is None else tmp_path / cache,
                ranks=ranks,
            )
        )

    alone = work(None, "alone")
    assert json.loads(alone)["real"]["broken"] > 0
    for _ in range(2):  # the second time with the cache
        assert run_ranks(count, lambda carrier: work(Ranks(carrier), "shared")) == [alone] * count
    assert (tmp_path / "alone").read_bytes() == (tmp_path / "shared").read_bytes()


@pytest.mark.usefixtures("quick")
def test_ranks_end_together_on_bad_input(folder: Path, tmp_path: Path) -> None:
    def work(carrier: ThreadCarrier) -> None:
        ranks = Ranks(carrier)
        with ranks.ending_together(lambda error: pytest.fail(str(error))):
            evaluation.evaluate(None, tmp_path / "none", ranks=ranks)

    first, second = run_ranks(2, work)
    assert isinstance(first, DatasetError) and isinstance(second, Elsewhere)

    def different(carrier: ThreadCarrier) -> None:
        evaluation.evaluate(None, folder, samples=20 + carrier.rank, ranks=Ranks(carrier))

    for error in run_ranks(2, different):
        assert "what is asked for is (21, " in str(error) and "at rank 1 and (20, " in str(error)


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
