# SPDX-License-Identifier: GPL-3.0-or-later
"""Films in a browser: opened by their URLs they play, and can be sought."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.slow

PATH = "interpolation.mp4?seeds=1,2&frames=50&fps=25"


def test_a_film_plays_and_can_be_sought(browser: Any, server: Any) -> None:
    page = browser.new_page()
    asked: list[str | None] = []
    page.on("request", lambda request: asked.append(request.headers.get("range")))
    page.goto(server.url + PATH)
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 3")
    length = page.evaluate("document.querySelector('video').duration")
    assert length == pytest.approx(2.0)
    seekable = page.evaluate(
        "(() => { const s = document.querySelector('video').seekable;"
        " return s.length ? [s.start(0), s.end(0)] : []; })()"
    )
    assert seekable == pytest.approx([0, 2])
    page.evaluate("document.querySelector('video').pause()")
    page.evaluate("document.querySelector('video').currentTime = 1.5")
    page.wait_for_function(
        "() => { const v = document.querySelector('video'); return !v.seeking && v.currentTime }"
    )
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(1.5)
    page.close()
