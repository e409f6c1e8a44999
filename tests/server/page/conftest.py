# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser and the server that all tests of the page share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    from support.page import Served

    served = Served()
    yield served
    served.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; until it is closed, Playwright keeps an event loop running in this thread."""
    from support.page import CHROMIUM, playwright

    if CHROMIUM is None:
        pytest.skip("no Chromium to open the page in: apt install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Any, server: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page; at the end, nothing may have gone wrong in it or left for another host."""
    from support.page import DESKTOP, KEEP_COUNT, SECONDS, expect

    contexts = []
    wrong: list[str] = []

    def tab(query: str = "", *, path: str = "", url: str = server.url, **options: Any) -> Any:
        def console(said: Any) -> None:
            # Chromium's own word for every answer that is not 2xx; the page has words for those.
            if said.type == "error" and "Failed to load resource" not in said.text:
                wrong.append(said.text)

        def request(request: Any) -> None:
            if not request.url.startswith((url, "blob:", "data:")):
                wrong.append(request.url)

        context = browser.new_context(**{"base_url": url, "viewport": DESKTOP, **options})
        contexts.append(context)
        context.add_init_script(KEEP_COUNT)
        page = context.new_page()
        page.set_default_timeout(1000 * SECONDS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", console)
        page.on("request", request)
        page.goto(url + path + (f"?{query}" if query else ""))
        return page

    expect.set_options(timeout=1000 * SECONDS)
    yield tab
    for context in contexts:
        context.close()
    assert wrong == []
