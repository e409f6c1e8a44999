# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolations as animations and as files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.disk import small_disk
from support.server import (
    Client,
    FakeModel,
    problem,
    reason,
    rendered,
    zip_files,
)

from ffgan import images
from ffgan.images import animation
from ffgan.latent import noise, path
from ffgan.server import Settings

SETTINGS = Settings(tries=1)


def test_interpolation_as_animated_webp(client: Client) -> None:
    answer = client.get("/interpolation.webp?seeds=1,2,3&frames=5&fps=10&size=54")
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as read:
        assert (read.size, read.n_frames) == ((54, 54), 5)
        read.seek(2)
        second = images.resize(images.decode(client.get("/face.png?seed=2").content), 54)
        assert np.abs(np.asarray(read.convert("RGB")).astype(int) - second).mean() < 12
        assert read.info["duration"] == 100


def test_interpolation_as_mp4(client: Client, tmp_path: Any) -> None:
    answer = client.get("/interpolation.mp4?seeds=1,2&frames=7&fps=10")
    assert answer.headers["content-type"] == 'video/mp4; codecs="vp09.00.10.08"'
    file = tmp_path / "faces.mp4"
    file.write_bytes(answer.content)
    video = cv2.VideoCapture(str(file))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 7
    _, first = video.read()
    expected = images.decode(client.get("/face.png?seed=1").content).astype(int)
    assert np.abs(cv2.cvtColor(first, cv2.COLOR_BGR2RGB) - expected).mean() < 12


def test_mp4_without_an_encoder_is_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "CODEC", "none")
    answer = client.get("/interpolation.mp4?seeds=1,2&frames=2")
    assert problem(answer) == (501, "unsupported", None)
    assert "no encoder" in answer.json()["message"]


def test_a_film_for_which_there_is_no_room_is_neither_sent_nor_cached(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "/interpolation.mp4?seeds=81,82&frames=16&size=96"
    with small_disk(tmp_path / "shm", "size=4k") as shm:
        monkeypatch.setattr(animation, "MEMORY", shm)
        answer = client.get(url)
        assert list(shm.iterdir()) == []
    assert reason(answer) == (503, "not_written")
    assert f"no room for the MP4 in {shm}, which has 4 KB in all: make" in answer.json()["message"]
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert int(answer.headers["retry-after"]) >= 1
    monkeypatch.undo()
    assert client.get(url).status_code == 200


def test_interpolation_as_files(client: Client, served: FakeModel) -> None:
    answer = client.get("/interpolation.zip?seeds=1,2,3&frames=5")
    found = zip_files(answer)
    assert list(found) == [f"frame-000{i}.png" for i in range(5)]
    latents = path(np.stack([noise(seed) for seed in (1, 2, 3)]), np.linspace(0, 2, 5))
    for name, latent in zip(found, latents, strict=True):
        np.testing.assert_array_equal(images.decode(found[name]), rendered(served, latent))
    assert images.read_metadata(found["frame-0003.png"])["at"] == "1.5"
