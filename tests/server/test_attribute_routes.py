# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes that there are, those of a face, and those of a photograph."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from support.faces import need_dlib_files
from support.server import FITTED, Client, FakeModel, fitted, photo, reason

import ffgan
from ffgan import attributes, images
from ffgan.attributes import recognition
from ffgan.errors import ExtraError
from ffgan.server import Settings

SETTINGS = Settings(tries=2)


@pytest.fixture(scope="module")
def module_model() -> FakeModel:
    return fitted()


def listed(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200
    return {one["name"]: one for one in answer.json()["attributes"]}


def test_the_models_own_are_listed_with_their_ranges(client: Client, served: FakeModel) -> None:
    answer = client.get("/attributes")
    found = listed(answer)
    assert set(found) == set(FITTED)
    for name, one in found.items():
        table = attributes.ATTRIBUTES[name]
        assert (one["title"], one["unit"], one["help"]) == (table.title, table.unit, table.help)
        assert one["low"] < one["high"]
        assert one["value"] is None
        inside = f"/face.png?seed=1&{name}={(one['low'] + one['high']) / 2:.1f}"
        assert client.get(inside).status_code == 200
        assert client.get(f"/face.png?seed=1&{name}={one['high'] + 1}").status_code == 422
    again = client.get("/attributes", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_with_a_seed_they_have_the_values_of_its_face(client: Client) -> None:
    for query in ("seed=3", "seed=3&brightness=50", "seeds=3,4&at=0.5&move=0:1"):
        image = images.decode(client.get(f"/face.png?{query}").content)
        measured = attributes.measure(image[None], FITTED)[0]
        found = listed(client.get(f"/attributes?{query}"))
        assert {name: one["value"] for name, one in found.items()} == {
            name: round(float(measured[name]), 1) for name in FITTED
        }


def test_with_something_asked_they_say_how_far_the_person_is(client: Client) -> None:
    need_dlib_files()
    asked = client.get("/attributes?seed=3&change=brightness:5").json()
    free, face = (
        images.decode(client.get(f"/face.png?{query}").content)
        for query in ("seed=3", "seed=3&change=brightness:5")
    )
    first, second = recognition.embeddings(np.stack([free, face]))
    assert asked["distance"] == pytest.approx(np.linalg.norm(first - second), abs=0.001)
    assert 0 < asked["distance"] < 2
    for query in ("", "?seed=3", "?seeds=3,4&at=0.5&brightness=50"):
        assert client.get(f"/attributes{query}").json()["distance"] is None


@pytest.mark.slow
def test_those_of_a_photograph_are_measured_on_its_face(client: Client) -> None:
    need_dlib_files()
    face = ffgan.generate(1, seed=20, tries=1)
    try:
        measured = attributes.measure(face)[0]
    except ExtraError as error:
        pytest.skip(str(error))
    content = images.encode(face[0], "png")
    answer = client.request("POST", "/attributes", content=content)
    found = listed(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert set(found) == set(attributes.ATTRIBUTES)
    assert found["gender"]["value"] == measured["gender"]
    np.testing.assert_allclose(found["age"]["value"], measured["age"], atol=0.051)
    nobody = client.request("POST", "/attributes", content=images.encode(photo(), "png"))
    assert reason(nobody) == (422, "no_face")
