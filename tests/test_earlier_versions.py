# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of earlier versions load: models, checkpoints, packed data sets, journals of `extract`."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import ffgan
from ffgan.dataset import Dataset
from ffgan.errors import ExtraError
from ffgan.training import run_folder

FILES = Path(__file__).parent / "fixtures" / "v0.1"
DIGESTS = {
    "program": "af3667adf228f8c66d67480f9dca84994aba690288cca4781774feb099bf3981",
    "table": "bc5c0a3624b5e1aa27e6727f00f18c563cde0d3ca14c6347489830f109de1f97",
}


def unpacked(name: str, folder: Path) -> Path:
    """The file ``name``, decompressed into ``folder``."""
    path = folder / name
    path.write_bytes(lzma.decompress((FILES / f"{name}.xz").read_bytes()))
    return path


@pytest.mark.parametrize("discriminator", ["program", "table"])
def test_a_model_loads_with_its_metadata(discriminator: str, tmp_path: Path) -> None:
    model = ffgan.load(unpacked(f"model-{discriminator}.safetensors", tmp_path))
    assert model.discriminator == discriminator
    assert model.metadata["steps"] == "12"
    assert model.metadata["parameters_sha256"] == DIGESTS[discriminator]
    assert model.render(model.latents(1, seed=0)).shape == (1, 162, 162, 3)


def test_a_packed_data_set_opens(tmp_path: Path) -> None:
    with Dataset(unpacked("pictures.pack", tmp_path)) as dataset:
        assert len(dataset) == 4
        for index in range(4):
            picture = dataset.image(index)
            assert picture[161, 0].tolist() == [40 * index, 255 - 40 * index, 100]
            assert picture[0, 0].tolist() == [20 * index, (255 - 40 * index) // 2, 50]


def images_of_the_run(folder: Path) -> Path:
    """The 104 images that the checkpoints' runs were trained on; BMP has one size everywhere."""
    folder.mkdir()
    for index in range(104):
        image = np.full((162, 162, 3), (2 * index, 255 - 2 * index, 128), np.uint8)
        image[index : index + 40, 20:140] = 255 - index
        cv2.imwrite(str(folder / f"face-{index:03}.bmp"), image)
    return folder


@pytest.mark.parametrize("recipe", ["original", pytest.param("projected", marks=pytest.mark.slow)])
def test_a_checkpoint_resumes(recipe: str, tmp_path: Path) -> None:
    run = run_folder.RunFolder(tmp_path / "runs" / recipe)
    run.checkpoints.mkdir(parents=True)
    before = run_folder.read(unpacked(f"checkpoint-{recipe}.safetensors", run.checkpoints))
    (run.checkpoints / f"checkpoint-{recipe}.safetensors").rename(
        run.checkpoints / f"step-{before.step:08d}.safetensors"
    )
    try:
        ffgan.train(
            images_of_the_run(tmp_path / "faces"),
            runs=tmp_path / "runs",
            name=recipe,
            steps=before.step + 1 - before.record["settings"]["warm_start"],
            keep_checkpoints=1,
            log_every=1,
        )
    except ExtraError as error:
        pytest.skip(f"resuming this recipe needs an extra that is not installed: {error}")
    (path,) = run.paths()
    after = run_folder.read(path)
    assert after.step == before.step + 1
    assert after.tensors.keys() == before.tensors.keys()
    for name, tensor in after.tensors.items():
        # The energy distances remember a few more images than before.
        grows = name.endswith((".real", ".fakes"))
        skip = 1 if grows else 0
        assert tensor.shape[skip:] == before.tensors[name].shape[skip:], name
    changed = {"steps", *(k for k, v in before.record["settings"].items() if v is None)}
    settings = {k: v for k, v in after.record["settings"].items() if k in before.record["settings"]}
    assert {k: v for k, v in settings.items() if k not in changed} == {
        k: v for k, v in before.record["settings"].items() if k not in changed
    }


def test_an_extraction_is_resumed_without_a_second_look(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    for index in range(3):
        path = photos / f"photo-{index}.bmp"
        cv2.imwrite(str(path), np.full((700, 600, 3), 90, np.uint8))
        os.utime(path, ns=(10**18, 10**18))
    journal = unpacked("extract.jsonl", out)
    journal.write_text(journal.read_text("utf-8").replace("/photos", str(photos)), "utf-8")
    first = json.loads(journal.read_text("utf-8").splitlines()[0])
    assert first["photos"] == str(photos)
    try:
        found = ffgan.extract(photos, out)
    except ExtraError as error:
        pytest.skip(f"extract needs an extra that is not installed: {error}")
    assert (found.photos, found.looked_at, found.found, found.kept) == (3, 0, 3, 3)
