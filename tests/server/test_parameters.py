# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid query parameters."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.server import (
    Client,
    FakeModel,
    problem,
)

from ffgan.latent import MAX_SEED
from ffgan.server import Settings
from ffgan.server.http.parameters import SeedRangeParameters

SETTINGS = Settings(tries=1, max_faces=40)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("seed", value) for value in ("-1", str(MAX_SEED + 1), "x", "1.5", "9" * 5000, "\0")],
        *[("size", value) for value in ("15", "1025", "0", "-162", "1e2", "nan")],
        *[("truncation", value) for value in ("-0.1", "2.1", "nan", "inf", "x")],
        *[("tries", value) for value in ("0", "101", "-1", "x")],
        *[("threshold", value) for value in ("nan", "inf", "-inf", "1e999", "x")],
        *[("quality", value) for value in ("0", "101", "x")],
        *[("sed", "1"), ("<script>", "1"), ("é\u2028", "1")],
    ],
)
def test_wrong_parameter_is_named(client: Client, served: FakeModel, name: str, value: str) -> None:
    answer = client.get("/face.png", params={name: value})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["reason"], problem["parameter"]) == ("invalid_parameter", name)
    assert problem["message"].startswith(f"{name}: ")
    assert not served.drawn


@settings(max_examples=100, deadline=None)
@given(
    format=st.sampled_from(["png", "jpg", "webp"]),
    parameters=st.dictionaries(
        st.sampled_from(["seed", "size", "truncation", "tries", "threshold", "quality"])
        | st.text(max_size=8),
        st.text(max_size=12)
        | st.integers().map(str)
        | st.floats().map(str)
        | st.sampled_from(["1_0", "0x10", " 7 ", "١٢", "1e308", "-0", "true", "null", "%00"]),
        max_size=4,
    ),
    tag=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)
def test_no_parameters_make_the_server_fail(
    client: Client, format: str, parameters: dict[str, str], tag: str
) -> None:
    encodable = {
        name.encode(errors="replace"): value.encode(errors="replace")
        for name, value in parameters.items()
    }
    url = httpx.URL(f"http://testserver/face.{format}", params=encodable)
    answer = client.get(url, headers={"If-None-Match": tag})
    assert answer.status_code in (200, 304, 422)
    if answer.status_code == 422:
        assert answer.json()["reason"] == "invalid_parameter"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *[("seeds=1", "seeds"), ("seeds=1,2,3,4,5", "seeds"), ("seeds=1,", "seeds")],
        *[("seeds=1,x", "seeds"), ("seeds=-1,2", "seeds"), (f"seeds=1,{MAX_SEED + 1}", "seeds")],
        *[
            ("seeds=1,2&seed=3", "seeds"),
            ("seeds=%D9%A1,%D9%A2", "seeds"),
            ("seeds=1,2%0A", "seeds"),
        ],
        *[("at=1", "at"), ("seed=1&at=0.5", "at"), ("seeds=1,2&at=1.01", "at")],
        *[("seeds=1,2&at=-1", "at"), ("seeds=1,2&at=nan", "at"), ("seeds=1,2&at=4", "at")],
        *[("move=0", "move"), ("move=0:7", "move"), ("move=100:1", "move"), ("move=0:x", "move")],
        *[("move=0:1e3", "move"), ("move=0:-6.1", "move"), ("move=" + "0:1," * 20 + "0:1", "move")],
    ],
)
def test_wrong_ways_are_named(client: Client, query: str, parameter: str) -> None:
    assert problem(client.get(f"/face.png?{query}")) == (422, "invalid_parameter", parameter)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/faces.png?count=0", (422, "invalid_parameter", "count")),
        ("/faces.png?count=101", (422, "invalid_parameter", "count")),
        ("/faces.zip?count=41", (422, "invalid_parameter", "count")),
        ("/faces.png?columns=0", (422, "invalid_parameter", "columns")),
        ("/faces.png?count=100&size=1024", (422, "too_many_pixels", "size")),
        (f"/faces.png?seed={MAX_SEED}&count=2", (422, "invalid_parameter", "seed")),
        (f"/faces.zip?seed={MAX_SEED - 5}&count=7", (422, "invalid_parameter", "seed")),
        ("/faces.zip?format=gif", (422, "invalid_parameter", "format")),
        ("/interpolation.webp", (422, "invalid_parameter", "seeds")),
        ("/interpolation.webp?seeds=1,2&frames=1", (422, "invalid_parameter", "frames")),
        ("/interpolation.webp?seeds=1,2&frames=241", (422, "invalid_parameter", "frames")),
        ("/interpolation.mp4?seeds=1,2&fps=61", (422, "invalid_parameter", "fps")),
        ("/interpolation.mp4?seeds=1,2&frames=240&size=1024", (422, "too_many_pixels", "size")),
        ("/interpolation.zip?seeds=1", (422, "invalid_parameter", "seeds")),
        ("/latents?count=257", (422, "invalid_parameter", "count")),
        ("/directions?count=101", (422, "invalid_parameter", "count")),
    ],
)
def test_what_is_beyond_a_limit_is_named(
    client: Client, url: str, expected: tuple[int, str, str | None]
) -> None:
    assert problem(client.get(url)) == expected


def test_a_range_of_seeds_ends_at_the_last_seed() -> None:
    assert SeedRangeParameters(seed=MAX_SEED - 1, count=2).count == 2
    with pytest.raises(ValueError, match="too large for 3 faces"):
        SeedRangeParameters(seed=MAX_SEED - 1, count=3)
