# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces with what is asked of them, by URL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.server import Client, FakeModel, fitted, in_loop, is_ready, problem, ready, zip_files

from ffgan import attributes, control, images
from ffgan.attributes import networks
from ffgan.control import Constraints
from ffgan.latent import noise
from ffgan.server import Settings, create_app
from ffgan.server.inference import asked

SETTINGS = Settings(tries=2)


@pytest.fixture(scope="module")
def module_model() -> FakeModel:
    return fitted()


def has(answer: httpx.Response) -> dict[str, str]:
    parts = answer.headers["x-ffgan-attributes"].split(",")
    return dict(part.split("=") for part in parts)


def test_a_face_has_what_is_asked_and_says_so(client: Client, served: FakeModel) -> None:
    answer = client.get("/face.png?seed=7&brightness=50&background=60..70")
    assert answer.status_code == 200
    image = images.decode(answer.content)
    measured = attributes.measure(image[None], ["brightness", "background"])[0]
    assert abs(measured["brightness"] - 50) <= 4
    assert 60 <= measured["background"] <= 70
    shown = {name: f"{measured[name]:.1f}" for name in ("brightness", "background")}
    assert has(answer) == shown
    assert answer.headers["x-ffgan-reached"] == "yes"
    origin = images.read_metadata(answer.content)
    assert origin["set"] == "brightness=50; background=60..70"
    assert origin["asked"].startswith("brightness=50; background=6")
    assert origin["measured"].startswith(f"brightness={measured['brightness']:.4g}; ")
    assert origin["reached"] == "yes"
    wanted = Constraints.of({"brightness": 50, "background": (60, 70)})
    np.testing.assert_array_equal(image, control.face(served, 7, wanted, tries=2).image)


def test_every_endpoint_finds_the_same_face(client: Client) -> None:
    query = "seed=7&brightness=50"
    face = client.get(f"/face.png?{query}")
    image = images.decode(face.content)
    archive = client.get(f"/faces.zip?{query}&count=2")
    assert zip_files(archive)["face-7.png"] == face.content
    grid = images.decode(client.get(f"/faces.png?{query}&count=1").content)
    np.testing.assert_array_equal(grid, image)
    latents = client.get(f"/latents?{query}&count=1").json()
    posted = client.request("POST", "/latents", json={"latents": latents["latents"]})
    np.testing.assert_array_equal(images.decode(posted.content), image)
    film = client.get("/interpolation.zip?seeds=7,8&frames=2&brightness=50")
    np.testing.assert_array_equal(images.decode(zip_files(film)["frame-0000.png"]), image)
    between = client.get("/face.png?seeds=7,8&at=0&brightness=50")
    np.testing.assert_array_equal(images.decode(between.content), image)


def test_a_change_is_from_the_seeds_own_face(client: Client) -> None:
    free = client.get("/attributes?seed=3").json()["attributes"]
    before = next(one["value"] for one in free if one["name"] == "brightness")
    answer = client.get("/face.png?seed=3&change=brightness:-5")
    assert abs(float(has(answer)["brightness"]) - (before - 5)) <= 4
    assert images.read_metadata(answer.content)["change"] == "brightness=-5"


def test_what_a_face_cannot_have_is_told_with_the_nearest(client: Client) -> None:
    answer = client.get("/face.png?seed=3&change=brightness:60")
    assert answer.status_code == 200
    assert answer.headers["x-ffgan-reached"] == "no"


def test_a_person_can_be_kept(client: Client, served: FakeModel) -> None:
    query = "seed=3&change=brightness:60&threshold=-2&tries=20"
    kept = client.get(f"/face.png?{query}&keep=person")
    assert kept.headers["x-ffgan-reached"] == "no"
    assert kept.headers["x-ffgan-tries"] == "1"
    assert client.get(f"/face.png?{query}").headers["x-ffgan-tries"] == "20"
    wrong = client.get(f"/face.png?{query}&keep=it")
    assert wrong.json()["message"] == "keep: must be 'person', not 'it'"


def test_what_is_moved_afterwards_is_measured_again(client: Client) -> None:
    asked = client.get("/face.png?seed=3&brightness=50")
    moved = client.get("/face.png?seed=3&brightness=50&move=0:3")
    assert "x-ffgan-reached" not in moved.headers
    image = images.decode(moved.content)
    value = attributes.measure(image[None], ["background"])["background"][0]
    assert has(moved)["background"] == f"{value:.1f}"
    assert moved.content != asked.content


@pytest.mark.parametrize(
    ("query", "parameter", "message"),
    [
        ("brightnes=50", "brightnes", "did you mean brightness?"),
        ("brightness=light", "brightness", "brightness 'light' is not a number: give one"),
        ("brightness=50-60", "brightness", "brightness '50-60' is not a number: a range is 50..60"),
        ("sex=male", "sex", "sex: no such parameter here; did you mean gender?"),
        ("male=1", "male", "male: no such parameter here; did you mean gender?"),
        ("gender=woman", "gender", "give one of female, male; did you mean 'female'?"),
        ("brightness=99", "brightness", "brightness 99 is beyond what this model can do: give 4"),
        ("brightness=60..50", "brightness", "the range ends below its start: give 50..60"),
        (
            "age=60",
            "age",
            "age: this model has no such attribute; there are brightness, background",
        ),
        ("gender=mail", "gender", "gender 'mail': give one of female, male; did you mean 'male'?"),
        ("change=brightness", "change", "change: 'brightness': give NAME:AMOUNT"),
        ("change=gender:1", "change", "gender cannot be changed by an amount"),
        ("change=brightnes:1", "change", "did you mean 'brightness'?"),
        ("change=yaw:1,yaw:2", "change", "yaw is given twice"),
        ("brightness=50&change=brightness:5", "brightness", "give a value or a change, not both"),
        ("tone=dark&skin_tone=3", "tone", "skin_tone and tone are one measurement"),
        ("brightness=50&tries=21", "tries", "tries: must be at most 20 where something is asked"),
        ("brightness=50&brightness=60", "brightness", "given more than once"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    client: Client, served: FakeModel, query: str, parameter: str, message: str
) -> None:
    answer = client.get(f"/face.png?seed=1&{query}")
    assert problem(answer) == (422, "invalid_parameter", parameter)
    assert message in answer.json()["message"]
    assert "\n" not in answer.json()["message"]
    assert served.drawn == []


def test_the_tag_has_what_is_asked_and_the_fit(client: Client) -> None:
    def tag(client: Client, query: str) -> str:
        return str(client.get(f"/face.png?seed=7{query}").headers["etag"])

    tags = [tag(client, query) for query in ("", "&brightness=50", "&brightness=51")]
    assert len(set(tags)) == 3
    other = fitted()
    other.metadata["attributes"] = other.metadata["attributes"].replace(
        '"samples":150', '"samples":9'
    )
    again = ready(create_app(other, SETTINGS))
    assert tag(again, "") == tags[0]
    assert tag(again, "&brightness=50") != tags[1]
    unchanged = client.get("/face.png?seed=7&brightness=50", headers={"If-None-Match": tags[1]})
    assert unchanged.status_code == 304


def test_another_value_begins_with_what_is_known(model: FakeModel) -> None:
    client = ready(create_app(fitted(model), SETTINGS))
    client.get("/face.png?seed=7&brightness=50")
    drawn = {latent.tobytes() for latent in model.drawn}
    assert noise(7).tobytes() in drawn
    model.drawn.clear()
    first = client.get("/face.png?seed=7&brightness=50")
    assert len(model.drawn) == 1  # the face itself
    model.drawn.clear()
    client.get("/face.png?seed=7&brightness=54")
    assert not drawn & {latent.tobytes() for latent in model.drawn}
    assert client.get("/face.png?seed=7&brightness=50").content == first.content


def test_where_the_model_lies_is_not_told_to_clients(model: FakeModel) -> None:
    model.path = Path("/home/somebody/models/mine.safetensors")
    text = ready(create_app(model, SETTINGS)).get("/face.png?age=60").text
    assert "mine.safetensors has no fitted attributes" in text
    assert "somebody" not in text


def test_a_model_without_fitted_attributes_serves_free_faces_as_before(model: FakeModel) -> None:
    client = ready(create_app(model, SETTINGS))
    assert client.get("/face.png?seed=7").status_code == 200
    for url in ("/face.png?age=60", "/strip.png?vary=age", "/faces.zip?age=60"):
        answer = client.get(url)
        assert problem(answer)[:2] == (422, "no_attributes")
        assert "fit-attributes" in answer.json()["message"]
    listed = client.get("/attributes").json()
    assert listed["attributes"] == []
    assert "fit-attributes" in listed["unavailable"]


def test_without_what_measures_the_answer_is_how_to_install_it(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(networks, "_bundled", lambda file: tmp_path / file.name)
    monkeypatch.setattr(networks, "PACKAGE", "not_installed_anywhere")
    asked._find_files.cache_clear()
    answer = client.get("/face.png?seed=7&brightness=50")
    assert problem(answer)[:2] == (501, "unsupported")
    assert "pip install" in answer.json()["message"]
    assert "pip install" in client.get("/attributes").json()["unavailable"]
    assert client.get("/face.png?seed=7").status_code == 200


def test_a_client_that_leaves_frees_its_place(model: FakeModel) -> None:
    app = create_app(fitted(model), SETTINGS)

    async def story(client: httpx.AsyncClient) -> None:
        await is_ready(client)
        model.gate.clear()
        asking = asyncio.create_task(client.get("/face.png?seed=5&brightness=50"))
        while not model.drawn:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        while "ffgan_queue_taken 0.0" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.01)
        model.gate.set()
        drawn = len(model.drawn)
        await client.get("/face.png?seed=6")
        assert len(model.drawn) - drawn == 2  # its own draws, and no step for the other

    in_loop(app, story)
