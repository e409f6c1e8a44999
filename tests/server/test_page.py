# SPDX-License-Identifier: GPL-3.0-or-later
"""The page, walked through in a real browser: Debian's Chromium, driven by Playwright.

Faces come from the packaged model by the command that a user types. What is on the screen is
compared, pixel by pixel, with what the server says of the same URL.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import ffgan
from ffgan import images
from ffgan.latent import MAX_SEED

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 60
# So low that a visit asks for few faces of the gallery.
DESKTOP = {"width": 1280, "height": 600}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MAX_PAGE_BYTES = 100_000
TILES_AT_ONCE = 4
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


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    served = Served()
    yield served
    served.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium to open the page in: apt install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Any, server: Served) -> Iterator[Callable[..., Any]]:
    """Opens the page; at the end, nothing may have gone wrong in it or left for another host."""
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
    page.locator("#directions input").first.wait_for()
    return page.locator("#directions input").first


# --- A face


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
    "wanted", ["seed=12&truncation=0.7", "seed=12&move=3:2", "seeds=3,5&at=0.25&move=0:-1.5,2:1"]
)
def test_the_code_makes_the_face_on_the_screen(
    tab: Callable[..., Any], server: Served, tmp_path: Path, wanted: str
) -> None:
    page = tab(wanted)
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


# --- Sliders


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
    slide(page, "Truncation, from typical to strange", "ArrowLeft", 4)
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


# --- The gallery, and blends of what is picked there


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

    slide(page, "Place between the faces", "Home")
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
    page.get_by_role("button", name="Put face 1 back").click()
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
    page.get_by_role("button", name=f"Go on from face {int(last) + 1}").click()
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


# --- What goes wrong


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


def test_without_javascript_there_is_a_face(tab: Callable[..., Any]) -> None:
    page = tab(java_script_enabled=False)
    face = page.get_by_role("img", name="A generated face")
    expect(face).to_be_visible()
    assert face.bounding_box()["width"] >= 162
    page.get_by_role("link", name="Regenerate").click()
    page.wait_for_url("**/get_image")
    expect(page.get_by_role("img", name=re.compile("A generated face, seed"))).to_be_visible()


# --- For everyone


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
    page.locator(".mark").focus()
    reached = set()
    for _ in range(60):
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
    wanted |= {"Place between the faces", "Go to face 3", "Use it from code", "Shuffle"}
    wanted |= {"Truncation, from typical to strange", "Show face 0", "Pick face 0"}
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
    page = tab("seeds=3,5,6,7&at=0.5", viewport={"width": width, "height": 800})
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
