# SPDX-License-Identifier: GPL-3.0-or-later
"""From pictures to latents: what is found, how it ends, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.faces import need_dlib_files
from support.photographs import photograph

import ffgan
from ffgan import Model, images
from ffgan.errors import DatasetError, ExtraError, UsageError
from ffgan.latent import noise
from ffgan.projection import project, projection
from ffgan.typing import RGB, Float32

SEED = 7


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load()


@pytest.fixture(scope="module")
def face(model: Model) -> RGB:
    image: RGB = model.render(noise(SEED)[None])[0]
    return image


def start() -> dict[str, Float32]:
    """Not far from the face."""
    return {"near": noise(SEED) + np.float32(0.3) * noise(SEED + 1)}


def brief(image: Any, model: Model, **options: Any) -> ffgan.projection.Projection:
    """A search of few steps, from `start`, by pixels alone."""
    options = {"steps": 3, "parts": {"pyramid": 1.0}, "starts": start()} | options
    return project(image, model=model, **options)


def test_a_step_at_a_time_it_comes_nearer(model: Model, face: RGB) -> None:
    seen: list[tuple[str, int, int]] = []
    found = brief(face, model, steps=10, on_progress=lambda *progress: seen.append(progress))
    assert found.distances.pyramid < 0.02
    assert np.array_equal(found.image, model.render(found.latent[None])[0])
    assert np.array_equal(found.target, face)
    assert found.finished and found.start == "near"
    assert found.steps == projection.FIRST_STEPS + 10
    assert seen[-1] == ("steps", found.steps, found.steps)


@pytest.mark.slow
def test_the_model_s_own_face_is_found_again(model: Model, face: RGB) -> None:
    found = ffgan.project(face, model=model, steps=60, parts={"pyramid": 1.0})
    assert found.distances.pyramid < 0.02
    assert np.abs(found.image.astype(int) - face).mean() < 2
    assert np.linalg.norm(found.latent - noise(SEED)) < 2


@pytest.mark.slow
def test_the_same_picture_gives_the_same_latent(model: Model, face: RGB) -> None:
    one, other = (brief(face, model, parts=None) for _ in range(2))
    assert np.array_equal(one.latent, other.latent)
    assert one.distances == other.distances


@pytest.mark.slow
def test_every_part_comes_nearer(model: Model, face: RGB) -> None:
    need_dlib_files()
    before = brief(face, model, steps=1, starts={"far": noise(SEED + 1)}, stop=lambda: True)
    after = brief(face, model, steps=10, starts={"far": noise(SEED + 1)}, parts=None)
    for name in ("pyramid", "perceptual", "identity"):
        one, other = getattr(before.distances, name), getattr(after.distances, name)
        if one is None:
            pytest.skip(f"without the network of {name}")
        assert other < 0.95 * one, name


def test_the_face_is_cut_out_of_a_photograph(model: Model, face: RGB, tmp_path: Path) -> None:
    need_dlib_files()
    path = tmp_path / "photo.jpg"
    images.save(path, photograph(face))
    found = brief(path, model)
    assert found.target.shape == face.shape
    middle = slice(30, 130)
    difference = found.target[middle, middle].astype(int) - face[middle, middle]
    assert np.abs(difference).mean() < 25
    assert found.distances.identity is not None


@pytest.mark.slow
def test_the_largest_face_is_taken_or_the_one_asked_for(model: Model, face: RGB) -> None:
    need_dlib_files()
    other: RGB = model.render(noise(12)[None])[0]
    both = np.concatenate([photograph(face, 1.0), photograph(other, 1.5)], axis=1)
    targets = [brief(both, model, steps=1, face=number).target for number in (None, 1, 2)]
    assert np.array_equal(targets[0], targets[1])
    alone = brief(photograph(other, 1.5), model, steps=1).target.astype(int)
    assert np.abs(targets[0] - alone).mean() < np.abs(targets[2] - alone).mean()
    with pytest.raises(UsageError, match="face 3 is asked for, and 2 faces found"):
        brief(both, model, face=3)


def test_a_picture_without_a_face_is_told(model: Model) -> None:
    need_dlib_files()
    with pytest.raises(UsageError, match="no face is found: give a photograph that shows one"):
        brief(np.full((200, 300, 3), 128, np.uint8), model)


def test_it_stops_when_it_is_asked_to(model: Model, face: RGB) -> None:
    count = 0

    def stop() -> bool:
        nonlocal count
        count += 1
        return count > projection.FIRST_STEPS + 4

    found = brief(face, model, steps=50, stop=stop)
    assert not found.finished
    assert found.steps < projection.FIRST_STEPS + 50
    assert found.distances.pyramid < brief(face, model, stop=lambda: True).distances.pyramid


def test_it_stops_when_the_time_is_over(model: Model, face: RGB) -> None:
    found = brief(face, model, steps=10_000, seconds=0.05)
    assert not found.finished and 1 <= found.steps < 10_000


def test_without_the_extras_the_pixels_are_left(
    model: Model, face: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffgan.faces.dlib_files.find_spec", lambda name: None)
    monkeypatch.setattr("ffgan.features.efficientnet.find_spec", lambda name: None)
    projection._imagenet.cache_clear()
    try:
        found = brief(face, model, parts=None)
        assert found.distances.pyramid > 0
        assert (found.distances.perceptual, found.distances.identity) == (None, None)
        with pytest.raises(ExtraError, match=r"pip install 'ffgan\[faces\]'"):
            brief(photograph(face), model)
    finally:
        projection._imagenet.cache_clear()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"seconds": -1.0}, "seconds is -1.0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"face": 0}, "the face is 0"),
        ({"parts": {"pixels": 1.0}}, "part 'pixels': give weights of pyramid, perceptual"),
        ({"parts": {"pyramid": -1.0}}, "the weight of pyramid is -1.0"),
        ({"starts": {}}, "there is no start"),
        (
            {"starts": {"short": np.zeros(3, np.float32)}},
            "the start 'short' is no latent: give 100",
        ),
        ({"starts": {"far": np.full(100, 1e300)}}, "the start 'far' is no latent: give 100"),
        ({"starts": {"words": ["x"] * 100}}, "the start 'words' is no latent: give 100"),
    ],
)
def test_wrong_arguments_are_named(
    model: Model, face: RGB, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        brief(face, model, **options)


def test_what_is_no_picture_is_refused(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"photo\.jpg: text, not a JPEG"):
        brief(path, model)
    path.write_bytes(images.encode(np.zeros((40, 40, 3), np.uint8), "jpg")[:-40])
    with pytest.raises(DatasetError, match=r"photo\.jpg: "):
        brief(path, model)
    with pytest.raises(UsageError, match="a picture is float64"):
        brief(np.zeros((162, 162, 3)), model)
