# SPDX-License-Identifier: GPL-3.0-or-later
"""The original's model files in and out, against programs built on dlib alone."""

from __future__ import annotations

import bz2
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.batches import random_latents
from support.disk import small_disk
from support.rendered import assert_same_images

from ffgan import _core
from ffgan.errors import ModelError, ModelWriteError
from ffgan.model import Model
from ffgan.model.dnn import export_dnn, import_dnn


def run_program(name: str, *arguments: str | Path) -> None:
    folder = os.environ.get("FFGAN_TEST_PROGRAMS")
    if folder is None:
        pytest.skip("FFGAN_TEST_PROGRAMS is not set to the folder of the C++ test programs")
    # On a busy machine OpenBLAS's threads wait for one another for most of the time.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [Path(folder) / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert run.returncode == 0, run.stderr


def images_and_scores(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.fromfile(folder / "pixels", np.uint8).reshape(-1, 162, 162, 3)
    return pixels, np.fromfile(folder / "scores", np.float32)


def original(folder: Path, kind: str) -> Path:
    """Let a program on dlib alone train, write a model file and make faces of 4 latents."""
    random_latents(4).tofile(folder / "noise")
    run_program(
        "original_model",
        kind,
        *(folder / name for name in ("original.dnn", "noise", "pixels", "scores")),
    )
    return folder / "original.dnn"


@pytest.fixture(scope="module")
def exported(moved_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_dnn(moved_model, tmp_path_factory.mktemp("exported") / "model.dnn")


@pytest.mark.parametrize(
    "kind", ["dnn", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("sync", "biased"))]
)
def test_an_imported_model_makes_the_faces_of_the_original(kind: str, tmp_path: Path) -> None:
    out = import_dnn(original(tmp_path, kind), tmp_path / "model.safetensors")
    imported = Model.load(out)
    pixels, scores = images_and_scores(tmp_path)
    assert_same_images(imported.render(random_latents(4)), pixels)
    np.testing.assert_allclose(imported.score(pixels), scores, rtol=1e-4, atol=1e-4)
    assert imported.dropout == 0.5
    assert imported.metadata["data"] == "imported from original.dnn"


def test_a_dlib_program_makes_our_faces_from_an_exported_model(
    moved_model: Model, exported: Path, tmp_path: Path
) -> None:
    latents = random_latents(4, seed=3)
    latents.tofile(tmp_path / "noise")
    run_program(
        "load_exported", exported, *(tmp_path / name for name in ("noise", "pixels", "scores"))
    )
    pixels, scores = images_and_scores(tmp_path)
    assert_same_images(moved_model.render(latents), pixels)
    np.testing.assert_allclose(moved_model.score(pixels), scores, rtol=1e-4, atol=1e-4)


def test_export_and_import_give_back_the_model(
    moved_model: Model, exported: Path, tmp_path: Path
) -> None:
    back = Model.load(import_dnn(exported, tmp_path / "model.safetensors"))
    assert back.hash == moved_model.hash
    assert back.dropout == 0.4
    assert sorted(path.name for path in exported.parent.iterdir()) == ["model.dnn"]


@pytest.mark.slow
def test_a_bzip2_compressed_file_is_imported(
    moved_model: Model, exported: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "model.dnn.bz2"
    packed.write_bytes(bz2.compress(exported.read_bytes(), 1))
    back = Model.load(import_dnn(packed, tmp_path / "model.safetensors"))
    assert back.hash == moved_model.hash


@pytest.mark.slow
def test_no_room_to_unpack_is_said_of_the_folder_that_lacks_it(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "model.dnn.bz2"
    packed.write_bytes(bz2.compress(exported.read_bytes(), 1))
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk))
        with pytest.raises(ModelWriteError, match=f"unpacked into {disk}: No space .* TMPDIR"):
            import_dnn(packed, tmp_path / "model.safetensors")
        assert not list(disk.iterdir())


def assert_refused(path: Path) -> None:
    out = path.parent / "model.safetensors"
    with pytest.raises(ModelError) as refusal:
        import_dnn(path, out)
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    assert not out.exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 10_000, 5_000_000, -1])
def test_a_truncated_file_is_refused(exported: Path, kept: int, tmp_path: Path) -> None:
    path = tmp_path / "model.dnn"
    path.write_bytes(exported.read_bytes()[:kept])
    assert_refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"no model at all\n" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
        bytes(100_000),
        b"BZh9nonsense",
    ],
)
def test_a_foreign_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.dnn"
    path.write_bytes(content)
    assert_refused(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "absent.dnn")
    (tmp_path / "folder.dnn").mkdir()
    assert_refused(tmp_path / "folder.dnn")


def test_a_truncated_bzip2_file_is_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.dnn.bz2"
    path.write_bytes(bz2.compress(exported.read_bytes()[:100_000])[:-1000])
    assert_refused(path)


def test_what_unpacks_to_any_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.dnn.bz2"
    path.write_bytes(bz2.compress(bytes(30 << 20)) * 9)  # a few hundred bytes
    with pytest.raises(ModelError, match=r"holds more than 256 MiB: it is no model file"):
        import_dnn(path, tmp_path / "model.safetensors")


def test_a_negative_tensor_size_is_refused(exported: Path, tmp_path: Path) -> None:
    content = bytearray(exported.read_bytes())
    # Behind the layer's name: the tensor's version (two bytes), then its first extent, whose first
    # byte has the sign on top. dlib's own deserialisation writes through a null pointer here.
    content[content.index(b"cont_2") + len(b"cont_2") + 2] |= 0x80
    path = tmp_path / "model.dnn"
    path.write_bytes(content)
    assert_refused(path)


def test_a_flipped_bit_never_ends_the_process(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    names = (b"cont_2", b"con_6", b"bn_con2", b"fc_3", b"dropout_", b"leaky_relu_", b"loss_")
    random = np.random.default_rng(11)
    refused = 0
    for _ in range(60):
        name = names[random.integers(len(names))]
        content = bytearray(whole)
        content[whole.index(name) + int(random.integers(-60, 60))] ^= 1 << int(random.integers(8))
        path = tmp_path / "model.dnn"
        path.write_bytes(content)
        try:
            _core.read_dnn(str(path))
        except RuntimeError:
            refused += 1
    assert refused > 10


def test_a_table_discriminator_is_not_exported(moved_model: Model, tmp_path: Path) -> None:
    trainer = _core.Trainer(discriminator="table")
    table = Model(
        trainer.parameters("generator"),
        trainer.parameters("discriminator"),
        {"discriminator": "table"},
    )
    with pytest.raises(ModelError, match=r"\.onnx"):
        export_dnn(table, tmp_path / "model.dnn")
    assert not list(tmp_path.iterdir())


def test_a_missing_output_folder_is_named(moved_model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="absent"):
        export_dnn(moved_model, tmp_path / "absent" / "model")


def test_the_core_names_a_parameter_of_another_shape(moved_model: Model, tmp_path: Path) -> None:
    parameters = _core.read_dnn(str(export_dnn(moved_model, tmp_path / "model.dnn")))
    generator, discriminator = parameters["generator"], parameters["discriminator"]
    wrong = {**discriminator, "fc.weight": np.zeros((1, 26), np.float32)}
    with pytest.raises(ValueError, match=r"fc\.weight"):
        _core.write_dnn(str(tmp_path / "other.dnn"), generator, wrong, 0.5)
    missing = {name: array for name, array in generator.items() if name != "conv6.bias"}
    with pytest.raises(ValueError, match=r"conv6\.bias"):
        _core.write_dnn(str(tmp_path / "other.dnn"), missing, discriminator, 0.5)
    with pytest.raises(ValueError, match="dropout"):
        _core.write_dnn(str(tmp_path / "other.dnn"), generator, discriminator, 1.0)
