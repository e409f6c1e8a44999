# SPDX-License-Identifier: GPL-3.0-or-later
"""One face with attributes from end to end."""

from __future__ import annotations

import numpy as np
import pytest
from support.server import FORMATS, Client, FakeModel, fitted, problem

from ffgan import attributes, images
from ffgan.server import Settings

SETTINGS = Settings(tries=2, max_grid=20)


@pytest.fixture(scope="module")
def module_model() -> FakeModel:
    return fitted()


def cells(sheet: images.RGB, columns: int) -> images.RGB:
    side = sheet.shape[1] // columns
    rows = [sheet[top : top + side] for top in range(0, len(sheet), side)]
    return np.stack([row[:, side * i : side * (i + 1)] for row in rows for i in range(columns)])


@pytest.mark.parametrize("format", FORMATS)
def test_a_strip_goes_from_end_to_end(client: Client, format: str) -> None:
    answer = client.get(f"/strip.{format}?seed=7&vary=background&count=4&brightness=50")
    assert answer.headers["content-type"] == FORMATS[format]
    name, _, values = answer.headers["x-ffgan-vary"].partition("=")
    wanted = [float(value) for value in values.split(",")]
    listed = {one["name"]: one for one in client.get("/attributes").json()["attributes"]}
    assert name == "background"
    assert len(wanted) == 4
    assert 0 <= wanted[0] - listed[name]["low"] <= 1
    assert 0 <= listed[name]["high"] - wanted[-1] <= 1
    sheet = images.decode(answer.content)
    assert sheet.shape == (162, 4 * 162, 3)
    measured = attributes.measure(cells(sheet, 4), ["brightness", "background"])
    assert np.abs(measured["background"] - wanted).max() <= 6  # 5, and what JPEG does to it
    assert np.abs(measured["brightness"] - 50).max() <= 5
    origin = images.read_metadata(answer.content)
    assert origin["set"] == "brightness=50"
    assert origin["vary"] == f"background={values}"
    assert origin["reached"] == "yes | yes | yes | yes"
    assert answer.headers["x-ffgan-reached"] == "yes,yes,yes,yes"
    again = client.get(
        f"/strip.{format}?seed=7&vary=background&count=4&brightness=50",
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304


def test_a_grid_varies_the_first_from_left_to_right_and_the_second_down(client: Client) -> None:
    answer = client.get("/grid.png?seed=7&vary=background,brightness&columns=3&rows=2")
    across, down = answer.headers["x-ffgan-vary"].split("; ")
    wide = [float(value) for value in across.removeprefix("background=").split(",")]
    high = [float(value) for value in down.removeprefix("brightness=").split(",")]
    assert (len(wide), len(high)) == (3, 2)
    sheet = images.decode(answer.content)
    assert sheet.shape == (2 * 162, 3 * 162, 3)
    middle = cells(sheet, 3)[[1, 4]]
    measured = attributes.measure(middle, ["brightness", "background"])
    assert np.abs(measured["background"] - wide[1]).max() <= 5
    assert measured["brightness"][0] < measured["brightness"][1]


@pytest.mark.parametrize(
    ("url", "parameter", "message"),
    [
        ("/strip.png", "vary", "missing; this URL needs it"),
        ("/strip.png?vary=x", "vary", "vary: unknown attribute 'x': give one of"),
        ("/strip.png?vary=smile,yaw", "vary", "vary: give one attribute, such as age, not"),
        (
            "/strip.png?vary=age",
            "vary",
            "vary: age is not among the attributes fitted",
        ),
        ("/strip.png?vary=brightness&count=21", "count", "must be at most 20"),
        ("/strip.png?vary=brightness&brightness=50", "vary", "brightness is varied and asked for"),
        ("/grid.png?vary=brightness", "vary", "vary: give two attributes, such as age,smile, not"),
        ("/grid.png?vary=age,smlie", "vary", "did you mean 'smile'?"),
        ("/grid.png?vary=tone,skin_tone", "vary", "tone and skin_tone are one measurement"),
        (
            "/grid.png?vary=brightness,background",
            "columns",
            "columns: 25 faces exceed the limit of 20 in a grid",
        ),
    ],
)
def test_what_is_wrong_is_said(client: Client, url: str, parameter: str, message: str) -> None:
    answer = client.get(url)
    assert problem(answer) == (422, "invalid_parameter", parameter)
    assert message in answer.json()["message"]


def test_a_strip_is_of_one_person(client: Client, served: FakeModel) -> None:
    """The other draws of a seed are other people, so that they are not tried."""
    query = "seed=7&change=brightness:60&threshold=-2&tries=20"
    client.get(f"/strip.png?{query}&vary=background&count=2")
    assert len(served.drawn) <= 1 + 2 * 5
    served.drawn.clear()
    client.get(f"/face.png?{query}")
    assert len(served.drawn) > 20
