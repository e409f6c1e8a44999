# SPDX-License-Identifier: GPL-3.0-or-later
"""The large face: drawing, history, downloads, links, code."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.instruction_sets import needs_bf16
from support.page import (
    MINUS,
    SECONDS,
    Served,
    difference,
    expect,
    pixels,
    query,
    shows,
)

from ffgan import images
from ffgan.latent import MAX_SEED


@pytest.mark.slow
@pytest.mark.parametrize("seed", [12, MAX_SEED])
def test_the_page_shows_the_face_of_its_url(
    tab: Callable[..., Any], server: Served, seed: int
) -> None:
    page = tab(f"seed={seed}")
    shows(page, server, f"seed={seed}")
    headers = httpx.get(f"{server.url}face.png?seed={seed}").headers
    score = float(headers["x-ffgan-score"])
    expect(page.locator("h1")).to_have_text(f"Face {seed}")
    expect(page.locator("#score")).to_have_text(f"{score:+.2f}".replace("-", MINUS))
    expect(page.locator("#tries")).to_have_text(headers["x-ffgan-tries"])
    expect(page.locator("#frame img")).to_have_attribute("alt", f"A generated face, seed {seed}")
    expect(page).to_have_title(f"ffgan: face {seed}")
    assert query(page) == f"seed={seed}"


@pytest.mark.slow
def test_regenerate_by_button_by_face_and_by_space_and_back_again(
    tab: Callable[..., Any], server: Served
) -> None:
    page = tab()
    seen = []
    for regenerate in (
        lambda: None,
        lambda: page.get_by_role("button", name="Regenerate").click(),
        lambda: page.locator("#frame").click(),
        lambda: page.keyboard.press("Space"),
    ):
        regenerate()
        page.wait_for_url(lambda url: "?seed=" in url and url not in seen)
        shows(page, server, query(page))
        seen.append(page.url)
    assert len(set(seen)) == 4
    for url in reversed(seen[:-1]):
        page.go_back()
        page.wait_for_url(url)
        shows(page, server, query(page))
    page.go_forward()
    page.wait_for_url(seen[1])
    shows(page, server, query(page))


@pytest.mark.slow
def test_downloads_are_the_files_of_the_face(
    tab: Callable[..., Any], server: Served, tmp_path: Path
) -> None:
    page = tab("seed=12&truncation=0.7")
    shows(page, server, "seed=12&truncation=0.7")
    for format, name in (("png", "PNG"), ("jpg", "JPEG"), ("webp", "WebP")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        assert download.value.suggested_filename == f"ffgan-12.{format}"
        download.value.save_as(tmp_path / "face")
        file = (tmp_path / "face").read_bytes()
        url = f"{server.url}face.{format}?seed=12&truncation=0.7"
        assert file == httpx.get(url).content
        assert images.decode(file).shape == (162, 162, 3)


@pytest.mark.slow
@pytest.mark.parametrize("secure", [True, False])
def test_the_link_that_is_copied_shows_the_same_face(
    tab: Callable[..., Any], server: Served, secure: bool
) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    page = tab("seeds=3,5&at=0.25&truncation=0.8", permissions=allowed)
    shows(page, server, "seeds=3,5&at=0.25&truncation=0.8")
    if not secure:
        # As from another computer without HTTPS.
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    reader = page.context.new_page()
    reader.goto(f"{server.url}static/view.js")
    link = reader.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    other = tab(link.partition("?")[2])
    shows(other, server, "seeds=3,5&at=0.25&truncation=0.8")
    assert difference(pixels(page), pixels(other)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "wanted",
    [
        "seed=12&truncation=0.7",
        "seed=12&move=3:2",
        "seeds=3,5&at=0.25&move=0:-1.5,2:1",
        "seed=12&gender=female&yaw=-12..-4&change=age:5&keep=person",
    ],
)
def test_the_code_makes_the_face_on_the_screen(
    tab: Callable[..., Any], server: Served, tmp_path: Path, wanted: str
) -> None:
    code_makes(wanted, tab(wanted), server, tmp_path)


@needs_bf16
@pytest.mark.slow
def test_the_code_names_the_precision_of_the_face_on_the_screen(
    tab: Callable[..., Any], tmp_path: Path
) -> None:
    served = Served("--precision", "bf16")
    try:
        page = tab("seed=12&truncation=0.7", url=served.url)
        code_makes("seed=12&truncation=0.7", page, served, tmp_path)
        code = page.locator("figure pre").last.inner_text()
        assert 'ffgan.load(precision="bf16")' in code
    finally:
        served.stop()


def code_makes(wanted: str, page: Any, server: Served, tmp_path: Path) -> None:
    """Runs what the page shows as code, and compares its face with the server's."""
    shows(page, server, wanted)
    page.get_by_text("Use it from code").click()
    captions = page.locator("figcaption span").all_inner_texts()
    assert captions == ["curl", "Python", "Python with ffgan and this model"]
    for place, language in enumerate(captions):
        text = page.locator("figure pre").nth(place).inner_text()
        if language == "curl":
            command = shlex.split(text)
            if shutil.which("curl") is None:
                command = [sys.executable, "-c", CURL, *command]
        else:
            command = [sys.executable, "-c", text]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=SECONDS, capture_output=True)
        made = images.decode((tmp_path / "face.png").read_bytes())
        assert made.shape == (162, 162, 3)
        # A face drawn in a batch may differ in a last bit.
        assert difference(server.face(wanted), made) < 0.1
        (tmp_path / "face.png").unlink()


# Where there is no curl: its command line still has to name a file and a URL that answers.
CURL = """
import sys, urllib.request
_, curl, option, file, url = sys.argv
assert (curl, option) == ("curl", "-o")
urllib.request.urlretrieve(url, file)
"""


@pytest.mark.slow
def test_without_javascript_there_is_a_face(tab: Callable[..., Any]) -> None:
    page = tab(java_script_enabled=False)
    face = page.get_by_role("img", name="A generated face")
    expect(face).to_be_visible()
    assert face.bounding_box()["width"] >= 162
    page.get_by_role("link", name="Regenerate").click()
    page.wait_for_url("**/get_image")
    expect(page.get_by_role("img", name=re.compile("A generated face, seed"))).to_be_visible()
