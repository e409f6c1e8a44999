# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders: truncation and directions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.page import (
    MINUS,
    OTHER,
    Served,
    difference,
    expect,
    first_direction,
    pixels,
    query,
    shows,
    slide,
)

import ffgan


def test_a_slider_moves_the_face_and_back_undoes_it(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    slider = first_direction(page)
    slider.focus()
    for _ in range(20):
        slider.press("ArrowLeft")
    shows(page, server, "seed=12&move=0:-2")
    assert difference(pixels(page), server.face("seed=12")) > OTHER
    assert query(page) == "seed=12&move=0:-2"
    assert MINUS + "2.0" in (slider.get_attribute("aria-valuetext") or "")
    slide(page, "Truncation, from typical to varied", "ArrowLeft", 4)
    shows(page, server, "seed=12&truncation=0.8&move=0:-2")
    # Twenty presses of one key are one thing to undo.
    page.go_back()
    shows(page, server, "seed=12&move=0:-2")
    page.go_back()
    shows(page, server, "seed=12")
    expect(slider).to_have_value("0")
    page.go_forward()
    shows(page, server, "seed=12&move=0:-2")
    page.get_by_role("button", name="Reset").click()
    shows(page, server, "seed=12")
    expect(page.get_by_role("button", name="Reset")).to_be_hidden()


@pytest.mark.slow
def test_directions_are_called_what_the_model_says(tab: Callable[..., Any], tmp_path: Path) -> None:
    model = ffgan.load()
    names = [{"index": 1, "low": "dark", "high": "light"}, {"index": 2, "low": "frown"}]
    model.metadata["directions"] = json.dumps(names)
    served = Served("--model", str(model.save(tmp_path / "named.safetensors")))
    try:
        page = tab("seed=12&move=1:2", url=served.url)
        shows(page, served, "seed=12&move=1:2")
        first_direction(page)
        sliders = page.locator("#directions input").all()
        assert len(sliders) == 10
        called = [slider.get_attribute("aria-label") for slider in sliders]
        assert called[:4] == ["Direction 1", "From dark to light", "Direction 3", "Direction 4"]
        label = page.locator("#directions label").nth(1)
        expect(label).to_have_text("dark+2.0light")
    finally:
        served.stop()


@pytest.mark.slow
def test_a_dragged_slider_asks_for_one_face_at_a_time_and_ends_at_the_last(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    slider = first_direction(page)
    asked: list[str] = []
    running = most = 0

    def began(request: Any) -> None:
        nonlocal running, most
        if "size=486" in request.url:
            asked.append(request.url)
            running += 1
            most = max(most, running)

    def ended(request: Any) -> None:
        nonlocal running
        running -= "size=486" in request.url

    page.on("request", began)
    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    steps = 60
    for step in range(steps):
        page.mouse.move(box["x"] + box["width"] * (0.5 + 0.4 * step / steps), middle)
    page.mouse.up()
    page.wait_for_url(lambda url: "move=0:" in url)
    shows(page, server, query(page))
    assert 1 < len(asked) <= steps
    assert len(set(asked)) == len(asked)
    # A change of the mind aborts, and what is aborted may end a moment after the next begins.
    assert most <= 2
    assert query(page) in asked[-1]
    assert difference(pixels(page), server.face("seed=12")) > OTHER


@pytest.mark.slow
def test_a_late_answer_does_not_replace_a_newer_one(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=1")
    shows(page, server, "seed=1")
    held: list[Any] = []
    page.route("**/face.jpg?seed=1&move=*size=486*", lambda route: held.append(route))
    first_direction(page).press("ArrowRight")
    expect(page.locator("#studio")).to_have_attribute("aria-busy", "true")
    page.go_back()
    shows(page, server, "seed=1")
    assert held
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    shows(page, server, "seed=1")
