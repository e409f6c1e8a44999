# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces between seeds, and along directions."""

from __future__ import annotations

import numpy as np
import pytest
from support.server import (
    Client,
    FakeModel,
    rendered,
)

from ffgan import images
from ffgan.latent import noise, path
from ffgan.server import Settings

SETTINGS = Settings(tries=1)


@pytest.mark.parametrize("at", [0, 0.25, 1, 1.5, 2])
def test_face_between_seeds(client: Client, served: FakeModel, at: float) -> None:
    answer = client.get(f"/face.png?seeds=1,2,3&at={at}")
    between = path(np.stack([noise(seed) for seed in (1, 2, 3)]), at)
    np.testing.assert_array_equal(images.decode(answer.content), rendered(served, between))
    assert "immutable" in answer.headers["cache-control"]
    alone = {0: "1", 1: "2", 2: "3"}.get(at)
    assert answer.headers["x-ffgan-seed"] == (alone or ("1,2" if at < 1 else "2,3"))


def test_both_ends_are_the_faces_of_their_seeds(client: Client) -> None:
    for at, seed in ((0, 1), (1, 2)):
        between = client.get(f"/face.png?seeds=1,2&at={at}")
        alone = client.get(f"/face.png?seed={seed}")
        assert between.content == alone.content
        assert between.headers["etag"] == alone.headers["etag"]


def test_face_moves_along_directions(client: Client, served: FakeModel) -> None:
    directions = served.directions()
    moved = noise(1) + np.float32(1.5) * directions[0].vector
    moved = moved + np.float32(-2) * directions[99].vector
    answer = client.get("/face.png?seed=1&move=0:1.5,99:-2")
    np.testing.assert_array_equal(images.decode(answer.content), rendered(served, moved))
    origin = images.read_metadata(answer.content)
    assert (origin["seed"], origin["move"]) == ("1", "0:1.5,99:-2")
    assert client.get("/face.png?seeds=1,2&at=0.5&move=0:1").status_code == 200
    random = client.get("/face.png?move=0:1")
    assert random.headers["cache-control"] == "no-store"
