# SPDX-License-Identifier: GPL-3.0-or-later
"""Held-out images by themselves; what a training does with them is in test_training.py."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

import ffgan
from ffgan import evaluation, features
from ffgan.dataset import Dataset
from ffgan.errors import DatasetError, ExtraError, ModelError
from ffgan.model import Model
from ffgan.training.validation import RECORD, HeldOut

COUNT = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heldout")
    for number, image in enumerate(ffgan.generate(COUNT, seed=500, tries=1)):
        cv2.imwrite(str(folder / f"{number:02d}.png"), image[:, :, ::-1])
    return folder


@pytest.fixture(scope="module")
def held_out(folder: Path) -> HeldOut:
    try:
        return HeldOut(folder, samples=18)
    except ExtraError as error:
        pytest.skip(str(error))


def test_a_model_is_measured_as_quick_measures_it(held_out: HeldOut, folder: Path) -> None:
    model = ffgan.load()
    told: list[tuple[int, int]] = []
    figures = held_out.measure(model.render, progress=lambda *now: told.append(now))
    assert told == [(18, 18)]
    with Dataset(folder) as dataset:
        (real,) = evaluation.real_images(dataset, 18, [])
    assert figures == evaluation.quick(model.render(model.latents(18, 0)), real)
    assert figures == held_out.measure(model.render)


def test_fewer_faces_are_measured_on_demand(held_out: HeldOut) -> None:
    seen: list[int] = []

    def render(latents: np.ndarray) -> np.ndarray:
        seen.append(len(latents))
        return ffgan.load().render(latents)

    held_out.measure(render, samples=16)
    assert seen == [16]


def test_what_stops_the_progress_stops_the_work(folder: Path, held_out: HeldOut) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        HeldOut(folder, samples=18, progress=stop)
    with pytest.raises(Stop):
        held_out.measure(ffgan.load().render, progress=stop)


def test_broken_images_are_replaced_as_far_as_there_are_others(
    folder: Path, tmp_path: Path, held_out: HeldOut
) -> None:
    for number, path in enumerate(sorted(folder.iterdir())):
        (tmp_path / path.name).write_bytes(b"broken" if number < 2 else path.read_bytes())
    assert HeldOut(tmp_path, samples=18).images == COUNT
    with pytest.raises(DatasetError, match="has 18 images that can be read, too few for"):
        HeldOut(tmp_path, samples=19)


def test_a_file_says_how_good_it_is(held_out: HeldOut, folder: Path, tmp_path: Path) -> None:
    model, path = Model.load(), tmp_path / "best.safetensors"
    assert held_out.best(path) == math.inf
    figures = held_out.measure(model.render)
    model.metadata[RECORD] = held_out.record(700, figures)
    model.save(path)
    assert held_out.best(path) == figures["frechet_distance"]
    assert json.loads(Model.load(path).metadata[RECORD])["step"] == 700
    # Of fewer images, or others, it says nothing.
    assert HeldOut(folder, samples=17).best(path) == math.inf


def test_a_model_that_says_nothing_is_named(held_out: HeldOut, tmp_path: Path) -> None:
    path = ffgan.load().path
    assert path is not None
    with pytest.raises(ModelError, match=r"ffgan-162\.safetensors does not say how good it is"):
        held_out.best(path)
    damaged = tmp_path / "best.safetensors"
    damaged.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"best\.safetensors"):
        held_out.best(damaged)


def test_without_the_extra_one_line_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> features.Network:
        raise ExtraError("something is missing")

    monkeypatch.setattr(features, "load", missing)
    with pytest.raises(ExtraError, match=r"^training with --heldout .*'ffgan\[evaluate\]'$"):
        HeldOut(folder, samples=18)
