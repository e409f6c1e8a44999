# SPDX-License-Identifier: GPL-3.0-or-later
"""Accessibility, screen sizes, colour schemes, and the size of the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.page import (
    PHONE,
    Served,
    expect,
    first_direction,
    measured,
    pick,
    query,
    shows,
)

MAX_PAGE_BYTES = 100_000


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_axe_finds_nothing_to_complain_about(
    tab: Callable[..., Any], server: Served, scheme: str, device: str
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    ).Axe()
    page = tab(
        "seeds=3,5&at=0.25&truncation=0.8&move=0:-1.5",
        color_scheme=scheme,
        **(PHONE if device == "phone" else {}),
    )
    shows(page, server, "seeds=3,5&at=0.25&truncation=0.8&move=0:-1.5")
    first_direction(page)
    page.get_by_text("Use it from code").click()
    pick(page, 3)
    for state in ("a blend, code, one pick", "a face, two picks"):
        if state.startswith("a face"):
            pick(page, 4)
            page.locator("#regenerate").click()
            page.locator("#drawn").wait_for()
        found = axe.run(page)
        assert found.violations_count == 0, f"{state}: {found.generate_report()}"
    page.goto("./?seed=12&age=45&vary=age,smile")
    page.locator("#sheet button").last.wait_for()
    measured(page)
    found = axe.run(page)
    assert found.violations_count == 0, f"a grid: {found.generate_report()}"
    for path in ("docs", "get_image"):
        page.goto(server.url + path)
        found = axe.run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"


@pytest.mark.slow
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seeds=3,5&at=0.5&move=0:1")
    shows(page, server, "seeds=3,5&at=0.5&move=0:1")
    first_direction(page)
    # A slider's thumb has the outline, which no style tells.
    sliders = {slider.get_attribute("aria-label") for slider in page.locator("input").all()}
    for slider in page.locator("input").all()[:2]:
        slider.focus()
        page.keyboard.press("Shift")
        focused = slider.screenshot()
        slider.blur()
        assert focused != slider.screenshot()
    measured(page)
    # The gallery fills once it is near.
    page.locator("#more").scroll_into_view_if_needed()
    page.get_by_role("button", name="Pick face 0", exact=True).wait_for()
    page.locator(".mark").focus()
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const { id, textContent, ariaLabel } = document.activeElement;
                const { outlineStyle } = getComputedStyle(document.activeElement);
                return [ariaLabel ?? (textContent.trim() || id), outlineStyle];
            }"""
        )
        name, outline = focused
        reached.add(name)
        assert outline == "solid" or name in sliders, f"nobody sees that {name} has the focus"
        if name == "Pick face 0":
            break
    wanted = {"frame", "Regenerate", "Copy link", "PNG", "JPEG", "WebP", "MP4", "Reset"}
    wanted |= {"Position between the faces", "Go to face 3", "Use it from code", "Shuffle"}
    wanted |= {"Truncation, from typical to varied", "Show face 0", "Pick face 0"}
    wanted |= {"Age", "Hold age", "female", "Attribute from left to right", "Explore"}
    assert wanted <= reached
    page.keyboard.press("Space")
    expect(page.locator("#picks li")).to_have_count(1)
    # A slider has no use for the space bar.
    first_direction(page).focus()
    page.keyboard.press("Space")
    page.wait_for_url("**?seed=*")
    shows(page, server, query(page))


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(
    tab: Callable[..., Any], server: Served, width: int
) -> None:
    page = tab("seed=3&vary=age,smile", viewport={"width": width, "height": 800})
    page.locator("#sheet button").last.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("./?seeds=3,5,6,7&at=0.5")
    shows(page, server, "seeds=3,5,6,7&at=0.5")
    page.get_by_text("Use it from code").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pick(page, 0, 1, 2, 3)
    tray = page.locator("#tray").bounding_box()
    assert tray["x"] >= 0
    assert tray["x"] + tray["width"] <= width


@pytest.mark.slow
def test_on_a_phone_the_face_stays_in_sight_of_the_sliders(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=12", **PHONE)
    shows(page, server, "seed=12")
    first_direction(page)
    page.locator("#directions input").last.scroll_into_view_if_needed()
    expect(page.locator("#frame")).to_be_in_viewport(ratio=1)


@pytest.mark.slow
def test_light_dark_and_reduced_motion_are_obeyed(tab: Callable[..., Any], server: Served) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = tab("seed=12", color_scheme=scheme, reduced_motion="reduce")
        shows(page, server, "seed=12")
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        grounds.append(sum(map(int, re.findall(r"\d+", ground)[:3])))
        page.get_by_role("button", name="Regenerate").click()
        expect(page).not_to_have_title("ffgan: face 12")
        assert page.evaluate("document.getAnimations().length") == 0
    assert grounds[0] > 3 * 200 > 3 * 60 > grounds[1]


@pytest.mark.slow
def test_the_page_is_small_and_comes_from_one_host(tab: Callable[..., Any], server: Served) -> None:
    page = tab()
    urls = set()
    page.on("request", lambda request: urls.add(request.url))
    page.goto("./?seed=12")
    shows(page, server, "seed=12")
    first_direction(page)
    files = {url for url in urls if not re.search(r"^blob:|/face\.", url)}
    assert len(files) >= 10
    assert all(url.startswith(server.url) for url in files)
    assert sum(len(httpx.get(url).content) for url in files) < MAX_PAGE_BYTES
