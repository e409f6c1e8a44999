# SPDX-License-Identifier: GPL-3.0-or-later
"""The gallery, and blends of faces picked there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.page import (
    SAME,
    Served,
    difference,
    expect,
    keeps_only_what_it_shows,
    pick,
    pixels,
    query,
    shows,
    slide,
)

from ffgan.latent import MAX_SEED

TILES_AT_ONCE = 4


@pytest.mark.slow
def test_picked_faces_blend_under_a_slider(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=12")
    shows(page, server, "seed=12")
    expect(page.locator("#tray")).to_be_hidden()
    pick(page, 3)
    expect(page.locator("#start-blend")).to_be_disabled()
    pick(page, 5)
    expect(page.locator(".picked")).to_have_count(2)
    page.get_by_role("button", name="Blend", exact=True).click()
    shows(page, server, "seeds=3,5&at=0.5")
    expect(page.locator("h1")).to_have_text("Between 3, 5")
    expect(page.locator("#tray")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="MP4").click()
    assert download.value.suggested_filename == "ffgan-3-5.mp4"
    assert b"ftyp" in download.value.path().read_bytes()[:16]
    between = pixels(page)
    assert min(difference(between, server.face(f"seed={seed}")) for seed in (3, 5)) > SAME

    slide(page, "Position between the faces", "Home")
    shows(page, server, "seeds=3,5&at=0")
    assert difference(pixels(page), server.face("seed=3")) < SAME
    page.get_by_role("button", name="Go to face 5").click()
    shows(page, server, "seeds=3,5&at=1")
    assert difference(pixels(page), server.face("seed=5")) < SAME

    # One history entry for the slider, one for the blend.
    page.go_back()
    shows(page, server, "seeds=3,5&at=0.5")
    page.go_back()
    shows(page, server, "seed=12")
    expect(page.locator("#blend")).to_be_hidden()
    keeps_only_what_it_shows(page)


@pytest.mark.slow
def test_no_more_than_four_are_picked_and_one_can_be_put_back(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab("seed=2")
    shows(page, server, "seed=2")
    pick(page, 0, 1, 3)
    page.locator("#pick").click()
    expect(page.locator("#pick")).to_have_attribute("aria-pressed", "true")
    pick(page, 4)
    expect(page.locator("#picks li")).to_have_count(4)
    expect(page.locator("#advice")).to_contain_text("No more than 4")
    page.get_by_role("button", name="Remove face 1").click()
    page.get_by_role("button", name="Blend", exact=True).click()
    shows(page, server, "seeds=0,3,2&at=1")


@pytest.mark.slow
def test_a_face_of_the_gallery_is_shown_large(tab: Callable[..., Any], server: Served) -> None:
    page = tab("seed=12&gallery=100")
    shows(page, server, "seed=12")
    page.get_by_role("button", name="Show face 107").click()
    shows(page, server, "seed=107")
    assert query(page) == "seed=107&gallery=100"
    expect(page.locator("h1")).to_be_in_viewport()
    page.get_by_role("button", name="Shuffle").click()
    page.wait_for_url(lambda url: "gallery=100" not in url)
    first = query(page).partition("gallery=")[2]
    expect(page.locator("#gallery li").first).to_have_attribute("data-seed", first)


@pytest.fixture
def quick_server() -> Iterator[Served]:
    """Draws once for a face, however bad it is."""
    served = Served("--tries", "1")
    yield served
    served.stop()


@pytest.mark.slow
def test_the_gallery_fills_as_one_scrolls_and_forgets_what_has_left(
    tab: Callable[..., Any], quick_server: Served
) -> None:
    running: set[Any] = set()
    asked = most = 0

    def began(request: Any) -> None:
        nonlocal asked, most
        if "face.jpg" in request.url and "size=" not in request.url:
            asked += 1
            running.add(request)
            most = max(most, len(running))

    def scroll_to_the_end() -> None:
        page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")

    page = tab("seed=12", url=quick_server.url)
    page.on("request", began)
    page.on("requestfinished", lambda request: running.discard(request))
    page.on("requestfailed", lambda request: running.discard(request))
    tiles, pictures = page.locator("#gallery li"), page.locator("#gallery img")
    page.locator("#more").scroll_into_view_if_needed()
    tiles.first.wait_for()
    counts = []
    while asked < 350:
        counts.append(tiles.count())
        scroll_to_the_end()
        # By then so many may have followed that this one has left, and lost its picture.
        tile = tiles.nth(counts[-1] - 1)
        tile.scroll_into_view_if_needed()
        expect(tile.locator("img")).to_be_visible()
    assert counts == sorted(counts)
    assert len(set(counts)) > 3
    # The screen and 1600 pixels on either side, 7 in a row.
    assert pictures.count() < 200
    assert most <= 2 * TILES_AT_ONCE
    keeps_only_what_it_shows(page)

    while page.locator("#onward").is_hidden():
        scroll_to_the_end()
        page.wait_for_timeout(50)
    assert tiles.count() == 960
    last = tiles.last.get_attribute("data-seed")
    page.get_by_role("button", name=f"Continue from face {int(last) + 1}").click()
    expect(tiles.first).to_have_attribute("data-seed", "960")
    assert query(page) == "seed=12&gallery=960"
    page.go_back()
    expect(tiles.first).to_have_attribute("data-seed", "0")


@pytest.mark.slow
def test_the_gallery_ends_with_the_last_seed(tab: Callable[..., Any]) -> None:
    page = tab(f"seed=1&gallery={MAX_SEED - 2}")
    page.get_by_role("button", name=f"Show face {MAX_SEED}").wait_for()
    expect(page.locator("#gallery li")).to_have_count(3)
    expect(page.locator("#gallery img")).to_have_count(3)
