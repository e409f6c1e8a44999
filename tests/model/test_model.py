# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces and scores that come out of a model."""

from __future__ import annotations

import copy
import functools
import multiprocessing
import pickle
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ffgan
from ffgan.errors import ModelError, UsageError
from ffgan.latent import MAX_SEED, noise, stream
from ffgan.model import Model, packaged_model, read_model


def test_images_of_a_batch_are_those_of_the_following_seeds(model: Model) -> None:
    together = model.generate(3, seed=40)
    assert together.shape == (3, 162, 162, 3) and together.dtype == np.uint8
    for i in range(3):
        np.testing.assert_array_equal(together[i], model.face(40 + i).image)


def test_the_candidate_search_takes_the_first_above_the_threshold(model: Model) -> None:
    searched = [model.face(seed) for seed in range(12)]
    assert {face.tries for face in searched} > {1}
    for face in searched:
        draws = [z for z, _ in zip(stream(face.seed), range(face.tries), strict=False)]
        scores = model.score(model.render(np.stack(draws)))
        if face.score > 0:
            assert (scores[:-1] <= 0).all() and scores[-1] == np.float32(face.score)
            np.testing.assert_array_equal(face.latent, draws[-1])
        else:
            assert face.tries == ffgan.model.DEFAULT_TRIES and face.score == scores.max()


def test_an_unreachable_threshold_gives_the_best_of_the_tries(model: Model) -> None:
    face = model.face(5, tries=4, threshold=1e9)
    draws = [z for z, _ in zip(stream(5), range(4), strict=False)]
    scores = model.score(model.render(np.stack(draws)))
    assert face.tries == 4 and face.score == scores.max()
    np.testing.assert_array_equal(face.image, model.render(draws[int(scores.argmax())][None])[0])
    assert model.face(5, tries=4, threshold=-1e9).tries == 1


def test_truncation_brings_faces_together(model: Model) -> None:
    def spread(truncation: float) -> float:
        faces = model.generate(4, seed=0, tries=1, truncation=truncation).astype(float)
        return float(faces.std(axis=0).mean())

    assert spread(0) == 0 < spread(0.3) < spread(1)


def test_threads_get_the_same_bytes(model: Model) -> None:
    with ThreadPoolExecutor(8) as pool:
        faces = list(pool.map(lambda i: model.face(i % 3, tries=2).image, range(12)))
    for i, face in enumerate(faces):
        np.testing.assert_array_equal(face, faces[i % 3])


def test_latents_are_the_noise_of_the_following_seeds(model: Model) -> None:
    latents = model.latents(3, seed=9)
    np.testing.assert_array_equal(latents, np.stack([noise(seed) for seed in (9, 10, 11)]))
    # The last seed that there is.
    np.testing.assert_array_equal(model.latents(2, seed=MAX_SEED - 1)[1], noise(MAX_SEED))


def test_the_seed_decides_and_is_random_without_one(model: Model) -> None:
    def seeds(seed: int | None) -> list[int]:
        return [face.seed for face in model.faces(3, seed, tries=1)]

    assert seeds(9) == [9, 10, 11]
    assert seeds(None) != seeds(None)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"n": 0}, "number of faces"),
        ({"n": -1}, "number of faces"),
        ({"n": 1.5}, "number of faces"),
        ({"seed": -1}, "seed"),
        ({"n": 2, "seed": MAX_SEED}, "seed"),
        ({"tries": 0}, "tries"),
        ({"tries": 1001}, "tries"),
        ({"truncation": 3}, "truncation"),
        ({"threshold": float("nan")}, "threshold"),
    ],
)
def test_an_argument_out_of_range_is_named(
    model: Model, arguments: dict[str, object], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        model.generate(**{"n": 1, **arguments})  # type: ignore[arg-type]


def test_latents_and_images_of_another_shape_are_refused(model: Model) -> None:
    with pytest.raises(UsageError, match="shape"):
        model.render(np.zeros((1, 99), np.float32))
    with pytest.raises(UsageError, match="finite"):
        model.render(np.full((1, 100), np.inf, np.float32))
    with pytest.raises(UsageError, match="uint8"):
        model.score(np.zeros((1, 162, 162, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="162"):
        model.score(np.zeros((1, 64, 64, 3), np.uint8))


def test_a_result_larger_than_the_memory_is_one_line(model: Model) -> None:
    with pytest.raises(UsageError, match=r"faces do not fit into memory: .* Model\.faces"):
        model.generate(10**15)


def test_the_result_is_held_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    face = model.face(1, tries=1)
    monkeypatch.setattr(model, "render", lambda latents: np.stack([face.image] * len(latents)))
    monkeypatch.setattr(model, "score", lambda images: np.full(len(images), 9, np.float32))
    tracemalloc.start()
    try:
        result = model.generate(1000, seed=1)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * result.nbytes
    finally:
        tracemalloc.stop()
    assert (result == face.image).all()


# ---- Copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy])
def test_a_copy_is_the_same_model(model: Model, how: Callable[[Model], Model]) -> None:
    other = how(model)
    assert other is not model
    assert (other.hash, other.path, other.metadata) == (model.hash, model.path, model.metadata)
    assert (other.threshold, other.dropout) == (model.threshold, model.dropout)
    np.testing.assert_array_equal(other.generate(1, seed=3), model.generate(1, seed=3))
    latents = model.latents(1, seed=4)
    assert other.score(other.render(latents)) == model.score(model.render(latents))
    assert other.directions()[0].strength == model.directions()[0].strength


def test_what_a_copy_is_told_later_it_alone_knows(model: Model) -> None:
    model.hash  # noqa: B018  is kept from now on
    other = copy.deepcopy(model)
    other.threshold = 7.5
    other.metadata["data"] = "mine"
    again = pickle.loads(pickle.dumps(other))
    assert (again.threshold, again.metadata["data"]) == (7.5, "mine")
    assert model.threshold != 7.5 and model.metadata.get("data") != "mine"


def test_faces_and_directions_are_pickled_too(model: Model) -> None:
    face, direction = model.face(3, tries=1), model.directions()[0]
    again, along = pickle.loads(pickle.dumps((face, direction)))
    np.testing.assert_array_equal(again.image, face.image)
    assert (again.seed, again.tries, again.score) == (face.seed, face.tries, face.score)
    np.testing.assert_array_equal(along.vector, direction.vector)


@pytest.mark.slow
def test_processes_that_are_spawned_draw_the_same_faces(model: Model) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        drawn = pool.map(functools.partial(model.generate, 1), [11, 12, 13])
    np.testing.assert_array_equal(np.concatenate(drawn), model.generate(3, seed=11))


# ---- Hostile and unlucky files -----------------------------------------------------------------


def test_the_packaged_model_makes_faces_that_its_card_describes() -> None:
    metadata, _ = read_model(packaged_model())
    assert int(metadata["steps"]) > 0 and metadata["data"]
    faces = ffgan.generate(2, seed=7)
    assert faces.shape == (2, 162, 162, 3) and faces.dtype == np.uint8
    assert faces.std() > 20
    np.testing.assert_array_equal(faces, ffgan.generate(2, seed=7))
    np.testing.assert_array_equal(ffgan.load().generate(1, seed=8)[0], faces[1])


def test_both_discriminators_come_with_the_same_generator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program, table = Model.load(), Model.load("table")
    assert (program.discriminator, table.discriminator) == ("program", "table")
    assert program.hash != table.hash
    for name, parameter in program.parameters.items():
        if name.startswith("generator."):
            np.testing.assert_array_equal(parameter, table.parameters[name])
    latents = program.latents(2, seed=3)
    drawn = table.render(latents)
    np.testing.assert_array_equal(drawn, program.render(latents))
    assert (table.score(drawn) < 0).all()  # it was trained to tell them
    # A file of that name is meant, where there is one.
    Path("table").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="table is not a model"):
        Model.load("table")


def test_generate_takes_a_model_or_its_path(model: Model) -> None:
    assert model.path is not None
    expected = model.generate(1, seed=2)
    np.testing.assert_array_equal(ffgan.generate(1, seed=2, model=model), expected)
    np.testing.assert_array_equal(ffgan.generate(1, seed=2, model=model.path), expected)
