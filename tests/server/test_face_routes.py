# SPDX-License-Identifier: GPL-3.0-or-later
"""One face by URL."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import numpy as np
import pytest
from support.server import (
    FORMATS,
    Client,
    FakeModel,
    ready,
)

from ffgan import _core, images
from ffgan.latent import MAX_SEED, noise
from ffgan.model import Model, save_model
from ffgan.server import Settings, create_app


@pytest.mark.parametrize("format", FORMATS)
def test_face_is_the_models_in_every_format(client: Client, served: FakeModel, format: str) -> None:
    answer = client.get(f"/face.{format}", params={"seed": 7})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FORMATS[format]
    assert answer.headers["x-ffgan-seed"] == "7"
    assert float(answer.headers["x-ffgan-score"]) == -1.5
    assert answer.headers["x-ffgan-tries"] == "3"
    assert answer.headers["content-disposition"] == f'inline; filename="ffgan-7.{format}"'
    drawn = served.face(7).image
    difference = np.abs(images.decode(answer.content).astype(int) - drawn.astype(int))
    assert difference.mean() <= (0 if format == "png" else 12)
    origin = images.read_metadata(answer.content)
    assert (origin["seed"], origin["tries"], origin["model"]) == ("7", "3", served.hash)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [16, 150, 1024])
def test_size_is_the_width_and_height(client: Client, format: str, size: int) -> None:
    answer = client.get(f"/face.{format}", params={"seed": 1, "size": size})
    assert images.decode(answer.content).shape == (size, size, 3)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("seed", [0, 2**53 + 1, MAX_SEED])
def test_same_seed_same_bytes(client: Client, format: str, seed: int) -> None:
    first, second = (client.get(f"/face.{format}", params={"seed": seed}) for _ in range(2))
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["x-ffgan-seed"] == str(seed)


@pytest.mark.parametrize("format", FORMATS)
def test_without_seed_it_is_random_and_says_which(client: Client, format: str) -> None:
    first, second = (client.get(f"/face.{format}") for _ in range(2))
    assert first.headers["cache-control"] == "no-store"
    assert "etag" not in first.headers
    assert first.headers["x-ffgan-seed"] != second.headers["x-ffgan-seed"]
    seed = first.headers["x-ffgan-seed"]
    assert client.get(f"/face.{format}", params={"seed": seed}).content == first.content


def test_quality_decides_the_size_of_the_file(client: Client) -> None:
    for format in ("jpg", "webp"):
        sizes = [
            len(client.get(f"/face.{format}", params={"seed": 1, "quality": quality}).content)
            for quality in (10, 100)
        ]
        assert sizes[0] < sizes[1]


def test_request_overrides_the_servers_search(model: FakeModel) -> None:
    client = ready(create_app(model, Settings(tries=4)))
    assert client.get("/face.png?seed=1").headers["x-ffgan-tries"] == "4"
    assert client.get("/face.png?seed=1&tries=9").headers["x-ffgan-tries"] == "9"
    model.drawn.clear()
    answer = client.get("/face.png?seed=1&tries=9&threshold=-2.5&truncation=0.5")
    assert answer.headers["x-ffgan-tries"] == "1"
    np.testing.assert_array_equal(model.drawn, [noise(1) / 2])
    lenient = ready(create_app(model, Settings(threshold=-1.75)))
    assert lenient.get("/face.png?seed=1").headers["x-ffgan-tries"] == "1"


def test_threads_get_the_faces_of_a_real_model(tmp_path: Path) -> None:
    trainer = _core.Trainer(seed=1)
    path = tmp_path / "model.safetensors"
    save_model(path, trainer.parameters("averaged"), trainer.parameters("discriminator"), {})
    model = Model.load(path)
    client = ready(create_app(lambda: Model.load(path)))
    seeds = [0, 1, MAX_SEED, 1, 0, 1]
    with concurrent.futures.ThreadPoolExecutor(len(seeds)) as pool:
        answers = pool.map(client.get, [f"/face.png?tries=1&seed={seed}" for seed in seeds])
        for seed, answer in zip(seeds, answers, strict=True):
            drawn = model.face(seed, tries=1)
            np.testing.assert_array_equal(images.decode(answer.content), drawn.image)
            assert answer.headers["x-ffgan-score"] == f"{drawn.score:.4f}"
            assert images.read_metadata(answer.content)["model"] == model.hash
