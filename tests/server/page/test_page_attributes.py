# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls named after attributes, the strip and the grid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.page import (
    MINUS,
    SECONDS,
    Served,
    ask,
    expect,
    keeps_only_what_it_shows,
    measured,
    query,
    shows,
)

import ffgan

KEEP = "&keep=person"
"""What the page adds wherever something is asked of a face."""

pytestmark = pytest.mark.slow


def value(server: Served, query: str, name: str) -> Any:
    """What the server measures on a face."""
    answer = httpx.get(f"{server.url}attributes?{query}", timeout=SECONDS).raise_for_status()
    return next(one["value"] for one in answer.json()["attributes"] if one["name"] == name)


def test_a_slider_asks_for_a_value_and_says_what_was_reached(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    measured(page)
    slider = page.locator("#attribute-age")
    free = value(server, "seed=12", "age")
    assert abs(float(slider.input_value()) - free) <= 1
    expect(page.locator("#reached")).to_have_text(re.compile("Move a slider"))
    ask(page, "age", "45")
    shows(page, server, f"seed=12&age=45{KEEP}")
    assert query(page) == f"seed=12&age=45{KEEP}"
    assert abs(value(server, "seed=12&age=45", "age") - 45) <= 3
    expect(page.locator("#reached")).to_have_text(re.compile(r"Reached: age 4[2-8] years\."))
    assert slider.get_attribute("aria-valuetext") == "45 years"
    lock = page.get_by_role("button", name="Hold age")
    expect(lock).to_have_attribute("aria-pressed", "true")
    page.go_back()
    shows(page, server, "seed=12")
    expect(lock).to_have_attribute("aria-pressed", "false")
    page.go_forward()
    shows(page, server, f"seed=12&age=45{KEEP}")
    page.get_by_role("button", name="Reset").click()
    shows(page, server, "seed=12")
    keeps_only_what_it_shows(page)


def test_a_lock_holds_the_value_that_the_face_has_for_the_next_one(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    measured(page)
    free = value(server, "seed=12", "smile")
    lock = page.get_by_role("button", name="Hold smile")
    lock.click()
    page.wait_for_url(re.compile("smile="))
    held = float(query(page).partition("smile=")[2].partition("&")[0])
    assert abs(held - free) < 0.01
    shows(page, server, query(page))
    page.get_by_role("button", name="Regenerate").click()
    page.wait_for_url(lambda url: "seed=12&" not in url)
    shows(page, server, query(page))
    assert query(page).endswith(f"smile={held:g}{KEEP}")
    lock.click()
    page.wait_for_url(lambda url: "smile" not in url)
    page.locator("#attribute-smile").dblclick()
    assert "smile" not in query(page)


def test_gender_has_buttons(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    other = {"female": "male", "male": "female"}[value(server, "seed=12", "gender")]
    button = page.get_by_role("button", name=other, exact=True)
    button.click()
    shows(page, server, f"seed=12&gender={other}{KEEP}")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#reached")).to_have_text(f"Reached: gender {other}.")
    button.click()
    shows(page, server, "seed=12")


def test_ranges_and_changes_of_a_link_are_kept(tab: Callable[..., Any], server: Served) -> None:
    wanted = f"seed=12&yaw=-12..-4&change=age:5{KEEP}"
    page = tab(wanted)
    shows(page, server, wanted)
    assert query(page) == wanted
    expect(page.locator(".attribute:has(#attribute-yaw) output")).to_have_text(
        f"{MINUS}12..{MINUS}4 degrees"
    )
    expect(page.locator(".attribute:has(#attribute-age) output")).to_have_text("+5")
    ask(page, "age", "40")
    shows(page, server, f"seed=12&yaw=-12..-4&age=40{KEEP}")


def test_what_cannot_be_is_said(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=12&age=500")
    expect(page.locator("#status")).to_have_text(
        re.compile("age 500 is beyond what this model can do: give [0-9]+ to [0-9]+ years")
    )
    # Of a face that is not there no value is known.
    for name in ("yaw", "smile"):
        slider = page.locator(f"#attribute-{name}")
        low, high = (float(slider.get_attribute(end) or "") for end in ("min", "max"))
        assert abs(float(slider.input_value()) - (low + high) / 2) <= 0.5 * (high - low) / 10
    page.goto("./?seed=12&change=age:70")
    expect(page.locator("#reached")).to_have_text(
        re.compile(r"This face cannot have all of that\. Nearest: age [0-9]+ years\.")
    )


def test_a_face_that_passes_for_another_person_is_said_to(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=7&age=65")
    expect(page.locator("#reached")).to_have_text(
        re.compile(
            r"Face recognition would take it for another person \(distance 0\.[6-9][0-9]\)\.$"
        )
    )
    ask(page, "smile", "0.5")
    page.get_by_role("button", name="Hold age").click()
    expect(page.locator("#reached")).to_have_text(re.compile(r"^Reached: smile 0\.[45][0-9]\.$"))


def test_a_strip_shows_an_attribute_from_end_to_end(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    page.get_by_label("Attribute from left to right").select_option("age")
    cells = page.locator("#sheet button")
    expect(cells).to_have_count(7)
    assert query(page) == "seed=12&vary=age"
    href = page.locator("a[data-sheet=png]").get_attribute("href")
    assert href == "strip.png?seed=12&vary=age"
    assert httpx.get(server.url + href, timeout=SECONDS).headers["content-type"] == "image/png"
    name = cells.nth(4).get_attribute("aria-label") or ""
    found = re.fullmatch("Show age ([0-9]+) years", name)
    assert found is not None
    cells.nth(4).click()
    shows(page, server, f"seed=12&age={found[1]}{KEEP}")
    expect(cells).to_have_count(7)
    page.get_by_label("Attribute from top to bottom").select_option("smile")
    expect(cells).to_have_count(25)
    assert query(page) == f"seed=12&age={found[1]}{KEEP}&vary=age,smile"
    page.go_back()
    expect(cells).to_have_count(7)
    page.get_by_label("Attribute from left to right").select_option("")
    expect(cells).to_have_count(0)
    keeps_only_what_it_shows(page)


def test_a_strip_says_what_its_face_does_not_reach(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=7&vary=age")
    strip = httpx.get(f"{server.url}strip.png?seed=7&vary=age", timeout=SECONDS)
    reached = strip.headers["X-FFGAN-Reached"].split(",")
    assert len(reached) == 7
    missed = reached.count("no")
    assert missed > 0
    status = page.locator("#vary-status")
    expect(status).to_have_text(
        f"This face does not reach {missed} of these 7; the nearest are shown."
    )
    for cell, word in zip(page.locator("#sheet button").all(), reached, strict=True):
        assert (cell.get_attribute("aria-label") or "").endswith(", not reached") == (word == "no")
    page.get_by_label("Attribute from left to right").select_option("")
    expect(status).to_have_text("")


def test_a_dragged_slider_asks_for_one_face_at_a_time(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    measured(page)
    running, most, asked = 0, 0, []

    def began(request: Any) -> None:
        nonlocal running, most
        if "size=486" in request.url or "/attributes?" in request.url:
            asked.append(request.url)
            running += 1
            most = max(most, running)

    def ended(request: Any) -> None:
        nonlocal running
        running -= request.url in asked

    page.on("request", began)
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    slider = page.locator("#attribute-smile")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    for step in range(40):
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.4 * step / 40), middle)
    page.mouse.up()
    page.wait_for_url(lambda url: "smile=" in url)
    shows(page, server, query(page))
    # A change of the mind aborts, and what is aborted may end a moment after the next begins.
    assert most <= 2
    assert query(page) in [url for url in asked if "size=486" in url][-1]


def test_without_fitted_attributes_the_page_is_what_it_was(
    tab: Callable[..., Any], tmp_path: Path
) -> None:
    model = ffgan.load()
    del model.metadata["attributes"]
    served = Served("--model", str(model.save(tmp_path / "plain.safetensors")))
    try:
        page = tab("seed=12&age=40&vary=age", url=served.url)
        shows(page, served, "seed=12")
        assert query(page) == "seed=12"
        page.locator("#directions input").first.wait_for()
        expect(page.locator("#attributes")).to_be_empty()
        expect(page.locator("#reached")).to_have_text(
            re.compile(r"No attributes can be asked for here\. .*plain\.safetensors has no fitted")
        )
        expect(page.locator("#vary")).to_be_hidden()
    finally:
        served.stop()
