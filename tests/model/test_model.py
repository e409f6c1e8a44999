# SPDX-License-Identifier: GPL-3.0-or-later
"""The model file, hostile ones included, and the faces that come out of it."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import ffgan
from ffgan import _core
from ffgan.errors import ModelError, UsageError
from ffgan.latent import MAX_SEED, noise, stream
from ffgan.model import Model, packaged_model, read_model, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small made-up model whose scores lie on both sides of 0."""
    trainer = _core.Trainer(seed=11)
    trainer.estimate_statistics(np.stack([noise(i) for i in range(8)]))
    path = tmp_path_factory.mktemp("model") / "made-up.safetensors"
    discriminator = trainer.parameters("discriminator")
    save_model(path, trainer.parameters("averaged"), discriminator, {"dropout": "0.25"})
    scores = Model.load(path).score(Model.load(path).render(np.stack([noise(i) for i in range(9)])))
    discriminator["fc.bias"] -= np.median(scores)
    save_model(path, trainer.parameters("averaged"), discriminator, {"dropout": "0.25"})
    return Model.load(path)


def test_a_saved_model_is_loaded_as_it_was(model: Model, tmp_path: Path) -> None:
    copy = Model.load(model.save(tmp_path / "copy.safetensors"))
    assert copy.hash == model.hash and len(copy.hash) == 64
    assert copy.metadata == model.metadata
    assert copy.dropout == 0.25
    np.testing.assert_array_equal(copy.generate(2, seed=3), model.generate(2, seed=3))
    assert not list(tmp_path.glob(".*")), "a temporary file was left behind"


def test_equal_models_are_equal_files(model: Model, tmp_path: Path) -> None:
    first = model.save(tmp_path / "first.safetensors").read_bytes()
    code = "import sys; from ffgan.model import Model; Model.load(sys.argv[1]).save(sys.argv[2])"
    second = tmp_path / "second.safetensors"  # by a process with another order of chance
    subprocess.run([sys.executable, "-c", code, str(model.path), str(second)], check=True)
    assert second.read_bytes() == first


def test_half_precision_halves_the_file_and_hardly_changes_a_face(
    model: Model, tmp_path: Path
) -> None:
    whole = model.save(tmp_path / "whole.safetensors")
    half = model.save(tmp_path / "half.safetensors", half=True)
    assert half.stat().st_size < 0.51 * whole.stat().st_size
    a = model.render(model.latents(2, seed=1)).astype(int)
    b = Model.load(half).render(model.latents(2, seed=1)).astype(int)
    assert np.abs(a - b).max() <= 2


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


# ---- Hostile and unlucky files -----------------------------------------------------------------


def refused(path: Path, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        Model.load(path)
    message = str(caught.value)
    assert path.name in message and "\n" not in message


def test_a_missing_model_and_a_folder(tmp_path: Path) -> None:
    refused(tmp_path / "no-such.safetensors", "does not exist")
    refused(tmp_path, "folder")


@pytest.mark.parametrize("size", [0, 5, 8, 100, 1000])
def test_a_truncated_model(model: Model, tmp_path: Path, size: int) -> None:
    assert model.path is not None
    path = tmp_path / "cut.safetensors"
    path.write_bytes(model.path.read_bytes()[:size])
    refused(path, "cut")


def test_a_model_cut_near_its_end(model: Model, tmp_path: Path) -> None:
    assert model.path is not None
    path = tmp_path / "cut.safetensors"
    path.write_bytes(model.path.read_bytes()[:-1])
    refused(path, "damaged")


def test_a_flipped_bit_is_found(model: Model, tmp_path: Path) -> None:
    assert model.path is not None
    data = bytearray(model.path.read_bytes())
    data[-1000] ^= 1
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(data)
    refused(path, "SHA-256")


@pytest.mark.parametrize(
    "start",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 50) + b"[" * 50,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"null",
        struct.pack("<Q", 900_000) + b"[" * 900_000,
        struct.pack("<Q", 20) + b'{"a": "\xff\xfe\xff\xfe\xff"}   ',
        b"\x80\x04\x95 a pickle, say",
    ],
)
def test_a_header_that_is_none(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(start + bytes(64))
    refused(path, "hostile")


def header_of(path: Path, change: dict[str, object]) -> bytes:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.update(change)
    header = {name: entry for name, entry in header.items() if entry is not None}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data[8 + size :]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generator.conv1.weight": None}, "missing"),
        ({"extra": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, "unknown"),
        (
            {
                "generator.conv1.weight": {
                    "dtype": "F32",
                    "shape": [2**40, 512, 4, 4],
                    "data_offsets": [0, 2**50],
                }
            },
            "shape",
        ),
        (
            {
                "generator.conv1.weight": {
                    "dtype": "I8",
                    "shape": [100, 512, 4, 4],
                    "data_offsets": [0, 819200],
                }
            },
            "float",
        ),
        ({"generator.conv1.weight": 7}, "shape"),
        ({"__metadata__": {"format": "ffgan-1", "discriminator": "resnet"}}, "resnet"),
        ({"__metadata__": {"format": "pt"}}, "format"),
        ({"__metadata__": {"format": "ffgan-1", "threshold": "high"}}, "threshold"),
    ],
)
def test_a_header_that_lies(
    model: Model, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    assert model.path is not None
    path = tmp_path / "lying.safetensors"
    path.write_bytes(header_of(model.path, change))
    refused(path, words)


def test_parameters_that_are_not_finite(model: Model, tmp_path: Path) -> None:
    assert model.path is not None
    tensors = load_file(model.path)
    tensors["generator.conv2.weight"][0, 0, 0, 0] = np.nan
    path = tmp_path / "nan.safetensors"
    save_file(tensors, path, {"format": "ffgan-1", "discriminator": "program"})
    refused(path, "not finite")


def test_a_model_that_cannot_be_written_leaves_nothing(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        model.save(tmp_path / "missing" / "x.safetensors")
    target = tmp_path / "folder.safetensors"
    target.mkdir()
    with pytest.raises(ModelError, match=r"folder\.safetensors"):
        model.save(target)
    assert list(tmp_path.iterdir()) == [target]


# ---- What the package itself offers ------------------------------------------------------------


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
