# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: Debian's Chromium, driven by Playwright.

Faces come from the packaged model by `ffgan web`. What is on the screen is compared, by pixels,
with the server's response to the same URL.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from ffgan import images

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

SECONDS = 60

# So low that a visit asks for few faces of the gallery.
DESKTOP = {"width": 1280, "height": 600}

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# Of 255, between a face and its JPEG at another size; two faces differ by more than 15.
SAME, OTHER = 5.0, 8.0

MINUS = "\N{MINUS SIGN}"

# The pictures whose memory the page has not given back.
KEEP_COUNT = """
window.kept = new Set();
const { createObjectURL, revokeObjectURL } = URL;
URL.createObjectURL = (file) => {
    const url = createObjectURL(file);
    kept.add(url);
    return url;
};
URL.revokeObjectURL = (url) => {
    kept.delete(url);
    revokeObjectURL(url);
};
"""


class Served:
    """`ffgan web` in a process of its own."""

    def __init__(self, *options: str, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ffgan", "web", "--port", str(port), *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)", line)
        assert found is not None, line
        self.url, self.port = found[0] + "/", int(found[1])

    def face(self, query: str) -> NDArray[np.uint8]:
        answer = httpx.get(f"{self.url}face.png?{query}", timeout=SECONDS).raise_for_status()
        return images.decode(answer.content)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


def pixels(page: Any) -> NDArray[np.uint8]:
    """The large face as it is on the screen, at the network's own size."""
    expect(page.locator("#frame img")).to_have_count(1)
    png = page.evaluate(
        """() => {
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 162;
            const context = canvas.getContext("2d");
            context.imageSmoothingQuality = "high";
            context.drawImage(document.querySelector("#frame img"), 0, 0, 162, 162);
            return canvas.toDataURL("image/png");
        }"""
    )
    return images.decode(base64.b64decode(png.partition(",")[2]))


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def query(page: Any) -> str:
    return page.url.partition("?")[2]


def shows(page: Any, server: Served, wanted: str) -> None:
    """Waits until the page shows the face of the query `wanted`, and says so."""
    (page.locator(f"a[data-format=png][href='face.png?{wanted}']")).wait_for()
    expect(page.locator("#studio")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#status")).to_be_empty()
    assert difference(pixels(page), server.face(wanted)) < SAME


def explore(page: Any) -> None:
    """Opens the fold with truncation and directions, where there are other controls."""
    page.wait_for_function(
        """() => document.querySelector("#explore").open
            || document.querySelector("#attributes").children.length > 0"""
    )
    if not page.locator("#explore").evaluate("fold => fold.open"):
        page.locator("#explore > summary").click()


def slide(page: Any, name: str, keys: str, times: int = 1) -> None:
    slider = page.locator(f"input[type=range][aria-label='{name}']")
    slider.focus()
    for _ in range(times):
        slider.press(keys)


def pick(page: Any, *seeds: int) -> None:
    """Picks faces of the gallery, which fills once it is near."""
    page.locator("#more").scroll_into_view_if_needed()
    for seed in seeds:
        page.get_by_role("button", name=f"Pick face {seed}", exact=True).click()


def keeps_only_what_it_shows(page: Any) -> None:
    page.wait_for_function(
        "() => kept.size === document.querySelectorAll('img[src^=\"blob:\"]').length"
    )


def first_direction(page: Any) -> Any:
    explore(page)
    page.locator("#directions input").first.wait_for()
    return page.locator("#directions input").first


def measured(page: Any) -> None:
    """Waits until the controls named after attributes show what the face has."""
    expect(page.locator("#attribute-age")).not_to_have_attribute("aria-valuetext", "unknown")


def ask(page: Any, name: str, value: str) -> None:
    """Moves the slider of an attribute."""
    page.locator(f"#attribute-{name}").fill(value)
