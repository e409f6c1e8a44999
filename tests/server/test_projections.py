# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /project: off unless it is allowed, what it answers, and what it refuses."""

from __future__ import annotations

import asyncio
import base64
import logging

import httpx
import numpy as np
import pytest
from support.faces import need_dlib_files
from support.photographs import photograph
from support.server import Client, FakeModel, in_loop, photo, ready, reason

from ffgan import Model, images
from ffgan.latent import noise
from ffgan.server import Settings, create_app

ON = Settings(allow_projection=True, projection_seconds=2, max_upload=1 << 20)


@pytest.fixture(scope="module")
def allowed() -> Client:
    return ready(create_app(FakeModel(), ON))


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load()


def post(client: Client, content: bytes, query: str = "") -> httpx.Response:
    kind = {"Content-Type": "image/png"}
    return client.request("POST", f"/project{query}", content=content, headers=kind)


def test_it_is_off_unless_it_is_allowed(client: Client, allowed: Client) -> None:
    answer = post(client, images.encode(photo(), "png"))
    assert reason(answer) == (403, "projection_off")
    assert "--allow-projection" in answer.json()["message"]
    assert "/project" not in client.get("/openapi.json").json()["paths"]
    assert "/project" in allowed.get("/openapi.json").json()["paths"]


def test_what_is_no_photograph_of_a_face_is_refused(allowed: Client) -> None:
    assert reason(post(allowed, b"no picture"))[0] in (415, 422)
    whole = images.encode(photo(), "png")
    assert reason(post(allowed, whole[:-30])) == (422, "invalid_image")
    assert reason(post(allowed, bytes(2 << 20))) == (413, "too_large")
    assert reason(post(allowed, whole, "?face=0")) == (422, "invalid_parameter")
    assert reason(post(allowed, whole, "?faces=1")) == (422, "invalid_parameter")
    need_dlib_files()
    answer = post(allowed, whole)
    assert reason(answer) == (422, "no_face")
    assert answer.headers["cache-control"] == "no-store"


def test_without_the_extra_it_says_what_can_be_sent(
    allowed: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffgan.faces.dlib_files.find_spec", lambda name: None)
    face = Model.load().render(noise(5)[None])[0]
    answer = post(allowed, images.encode(photograph(face), "jpg"))
    assert reason(answer) == (501, "missing_extra")


@pytest.mark.slow
def test_the_latent_and_the_face_come_back(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    client = ready(create_app(model, ON))
    face = model.render(noise(3)[None])[0]
    with caplog.at_level(logging.DEBUG):
        answer = post(client, images.encode(face, "png"))
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    body = answer.json()
    latent = np.array(body["latents"], np.float32)
    image = images.decode(base64.b64decode(body["image"].partition(",")[2]))
    assert np.array_equal(image, model.render(latent)[0])
    assert np.abs(image.astype(int) - face).mean() < 25
    assert body["model"] == model.hash and body["distances"]["pyramid"] < 0.2
    again = client.request("POST", "/latents", json=body)
    assert np.array_equal(images.decode(again.content), image)
    assert not [record for record in caplog.records if record.name.startswith("ffgan.server")]


@pytest.mark.slow
def test_a_second_photograph_is_told_to_wait(model: Model) -> None:
    app = create_app(model, ON)
    ready(app)
    file = images.encode(model.render(noise(3)[None])[0], "png")

    async def story(client: httpx.AsyncClient) -> None:
        kind = {"Content-Type": "image/png"}
        requests = [client.post("/project", content=file, headers=kind) for _ in range(2)]
        answers = await asyncio.gather(*requests)
        assert sorted(answer.status_code for answer in answers) == [200, 503]
        answer = await client.post("/project", content=file, headers=kind)
        assert answer.status_code == 200

    in_loop(app, story)
