# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid addresses, and servers that are busy, failing or gone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.page import (
    Served,
    expect,
    query,
    shows,
)

from ffgan.latent import MAX_SEED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("seed=-1", "seed=[0-9]+"),
        (f"seed={MAX_SEED + 1}", "seed=[0-9]+"),
        ("seed=007", "seed=7"),
        ("seeds=1&at=0.5", "seed=[0-9]+"),
        ("seeds=1,2,3,4,5", "seed=[0-9]+"),
        ("seeds=1,x&seed=4", "seed=4"),
        ("seeds=1,2&at=1.5", "seeds=1,2&at=0"),
        ("seed=4&truncation=nan&move=0:7,1:x,200:1,:,3:0.5", "seed=4&move=3:0.5"),
        ("seed=4&truncation=&gallery=x", "seed=4"),
        ("seed=4&truncation=-1&%FF=<script>", "seed=4"),
    ],
)
def test_an_address_that_makes_no_sense_is_a_new_visit(
    tab: Callable[..., Any], server: Served, wrong: str, right: str
) -> None:
    page = tab(wrong)
    page.locator("#frame img").wait_for()
    assert re.fullmatch(right, query(page))
    shows(page, server, query(page))


@pytest.mark.slow
def test_a_busy_server_is_waited_for(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=1")
    shows(page, server, "seed=1")
    left = 2

    def answer(route: Any) -> None:
        nonlocal left
        if left == 0:
            route.continue_()
            return
        left -= 1
        route.fulfill(
            status=503,
            headers={"Retry-After": "1"},
            json={"reason": "busy", "message": "too many requests are waiting"},
        )

    page.route("**/face.jpg?*size=486*", answer)
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator("#status")).to_have_text("The server is busy, one moment …")
    expect(page.locator("#status")).to_be_empty()
    assert left == 0
    shows(page, server, query(page))


@pytest.mark.slow
def test_a_refusal_is_said_in_the_servers_words(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=1")
    shows(page, server, "seed=1")
    problem = {"reason": "failed", "message": "the model could not be loaded"}
    page.route("**/face.jpg?*size=486*", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator("#status")).to_have_text("The server says: the model could not be loaded")
    page.unroute("**/face.jpg?*size=486*")
    page.locator("#retry").click()
    shows(page, server, query(page))
    expect(page.locator("#retry")).to_be_hidden()


@pytest.mark.slow
def test_a_server_that_has_gone_is_told_and_one_that_is_back_is_used(
    tab: Callable[..., Any],
) -> None:
    served = Served()
    try:
        page = tab("seed=1", url=served.url)
        shows(page, served, "seed=1")
        served.stop()
        page.get_by_role("button", name="Regenerate").click()
        expect(page.locator("#status")).to_have_text(
            "The server does not answer. Is it still running?"
        )
        served = Served(port=served.port)
        page.locator("#retry").click()
        shows(page, served, query(page))
    finally:
        served.stop()
