# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file with everything in it, whatever the run has so far."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ffgan import _core, html_report, images
from ffgan.errors import CheckpointError
from ffgan.training import report
from ffgan.training.report import render, write_report
from ffgan.training.run_folder import RunFolder

CONFIG = {
    "settings": {"batch": 64, "init": None, "augment": "<all>"},
    "starts_from": "scratch",
    "directory": "faces",
    "images": 7790,
    "changes": [],
    "version": "0.1.0",
}


DAMAGE = {
    "a list": [],
    "settings are a list": CONFIG | {"settings": [1]},
    "changes are numbers": CONFIG | {"changes": [1]},
    "no settings changed": CONFIG | {"changes": [{"step": 1, "settings": []}]},
    "no images": {"settings": {}},
}


@pytest.mark.parametrize("config", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_config_is_one_error(folder: RunFolder, config: object) -> None:
    folder.config.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"cannot write .*config\.json or .* is damaged"):
        write_report(folder)


def test_lines_of_other_values_are_left_out(folder: RunFolder) -> None:
    good = {"step": 1, "images": 4, "seconds": 2.0, "loss_d": 1.0}
    wrong = [{"step": "2"}, {"step": 2, "seconds": "x"}, {"step": 2, "seconds": 10**400}, [1], 3]
    texts = [json.dumps(line) for line in (good, *wrong)] + ["[" * 100_000, "9" * 5000]
    folder.log.write_text("\n".join(texts) + "\n")
    assert folder.lines() == [good]
    assert folder.forget_after(5) == 2.0


def test_a_damaged_log_is_one_error(folder: RunFolder) -> None:
    folder.log.write_text(
        json.dumps({"step": 1, "images": 1, "seconds": 1.0, "loss_d": [1]}) + "\n"
    )
    with pytest.raises(CheckpointError, match="is damaged"):
        write_report(folder)


def test_a_path_that_is_no_text_is_shown(folder: RunFolder) -> None:
    folder.config.write_text(json.dumps(CONFIG | {"settings": {"heldout": "caf\udce9"}}))
    write_report(folder)
    assert rb"caf\udce9" in folder.report.read_bytes()


def test_values_near_the_least_of_numbers_have_a_chart(folder: RunFolder) -> None:
    line = {"step": 1, "images": 1, "seconds": 1.0, "loss_d": 5e-324}
    folder.log.write_text(json.dumps(line) + "\n")
    write_report(folder)
    report = folder.report.read_text()
    assert "<svg" in report
    assert "nan" not in report


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "my <run>")
    run.samples.mkdir(parents=True)
    run.config.write_text(json.dumps(CONFIG))
    return run


def log(folder: RunFolder, count: int) -> None:
    lines = [
        {"step": step, "images": 32 * step, "seconds": 2.0 * step, "loss": 1.0 / step}
        for step in range(1, count)
    ]
    lines += [
        {
            "step": step,
            "images": 64 * step,
            "seconds": 2.0 * step,
            "loss_d": 1.0,
            "loss_g": 1.5,
            "accuracy_real": 0.75,
            "accuracy_fake": 0.5,
            "projected_accuracy": 0.7,
            "detail_accuracy": 0.6,
            "imagenet_accuracy": 0.8,
            "identity_distance": 0.02,
            "matching_distance": 0.01,
            "feature_frechet": 0.02,
            "perceptual": 1.7,
            "chroma_excess": 0.4,
            "grid_excess": 0.2,
            "images_per_second": 12.5,
            "waiting": 0.01,
        }
        for step in range(count, 2 * count)
    ]
    # Evaluations, of which the one in the middle is the best, stand between the others.
    for step in range(count, 2 * count, max(1, count // 5)):
        distance = 80.0 + abs(step - count - 2 * max(1, count // 5))
        lines.append(
            {
                "step": step,
                "stage": "evaluation",
                "images": 64 * step,
                "seconds": 2.0 * step,
                "frechet_distance": distance,
                "sharpness": None,
            }
        )
    lines.sort(key=lambda line: line["step"])
    folder.log.write_text("".join(json.dumps(line) + "\n" for line in lines))


def sample(folder: RunFolder, step: int) -> None:
    grid = np.full((972, 972, 3), step % 256, np.uint8)
    (folder.samples / f"step-{step:08d}.png").write_bytes(images.encode(grid, "png"))


class Tags(HTMLParser):
    """Every tag with its attributes; unclosed and crossing tags are errors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_the_report_needs_nothing_else(folder: RunFolder) -> None:
    log(folder, 20)
    sample(folder, 500)
    page = render(folder)
    tags = Tags(page).tags
    assert "script" not in {tag for tag, _ in tags}
    addresses = [value for _, attributes in tags for value in attributes.values() if value]
    assert not [value for value in addresses if re.match(r"(https?:)?//", value)]
    assert "url(" not in page
    assert "@import" not in page
    assert all(
        attributes["src"].startswith("data:image/jpeg;base64,")  # type: ignore[union-attr]
        for tag, attributes in tags
        if tag == "img"
    )
    assert "prefers-color-scheme: dark" in page


def test_curves_show_the_numbers_of_the_log(folder: RunFolder) -> None:
    log(folder, 20)
    page = render(folder)
    charts = re.findall(r"<svg.*?</svg>", page, re.S)
    titles = [ElementTree.fromstring(chart).attrib["aria-label"] for chart in charts]
    everything = [chart.title for chart in report.charts(folder.lines())]
    assert titles == everything
    measured = {"chroma", "grid"}  # in the log; of a loss without a weight nothing is measured
    for loss in _core.generator_losses():
        assert (loss["title"] in titles) == (loss["name"] in measured)
    losses = ElementTree.fromstring(charts[titles.index("Losses")])
    lines = losses.findall("polyline")
    assert len(lines) == 2
    heights = [float(point.split(",")[1]) for point in lines[0].attrib["points"].split()]
    assert len(heights) == 20
    assert len(set(heights)) == 1
    generator = [float(point.split(",")[1]) for point in lines[1].attrib["points"].split()]
    # The generator's loss, 1.5, is drawn above the discriminator's, 1.0.
    assert generator[0] < heights[0]
    held_out = ElementTree.fromstring(charts[titles.index("Held-out images")])
    (curve,) = held_out.findall("polyline")
    # A lower distance is drawn lower down.
    heights = [float(point.split(",")[1]) for point in curve.attrib["points"].split()]
    assert heights.index(max(heights)) == 2
    assert "the best Frechet distance on held-out images is 80.00, after step 28" in page
    assert "39 steps" in page
    assert "0:01:18" in page


def test_a_long_run_gives_a_bounded_file(folder: RunFolder) -> None:
    log(folder, 20_000)
    for step in range(30):
        sample(folder, 500 * step)
    page = render(folder)
    assert len(page) < 4_000_000
    assert page.count("<img") == report.MAX_GRIDS
    points = re.findall(r'points="([^"]*)"', page)
    assert max(len(line.split()) for line in points) <= html_report.MAX_POINTS
    captions = re.findall(r"<figcaption>after (\d+) steps", page)
    assert captions[0] == "14500"
    assert captions[-1] == "0"
    assert "39999 steps" in page


def test_the_newest_grid_is_shown_whole_and_first(folder: RunFolder) -> None:
    sample(folder, 500)
    sample(folder, 1000)
    sources = re.findall(r"base64,([^\"]*)", render(folder))
    newest, older = (images.decode(base64.b64decode(source)) for source in sources)
    assert newest.shape == (972, 972, 3)
    assert older.shape == (486, 486, 3)
    assert newest.mean() == pytest.approx(1000 % 256, abs=1)


def test_names_and_settings_are_text_and_not_markup(folder: RunFolder) -> None:
    page = render(folder)
    assert "my &lt;run&gt;" in page
    assert "&lt;all&gt;" in page
    assert "<run>" not in page
    Tags(page)


def test_changed_settings_are_listed(folder: RunFolder) -> None:
    change = {"step": 700, "settings": {"learning_rate_d": [2e-4, 1e-4]}}
    folder.config.write_text(json.dumps({**CONFIG, "changes": [change]}))
    page = render(folder)
    assert "from step 700" in page
    assert "learning_rate_d: 0.0002 to 0.0001" in page


def test_a_run_without_steps_has_a_report(folder: RunFolder) -> None:
    write_report(folder)
    page = folder.report.read_text("utf-8")
    assert "<svg" not in page
    assert "<img" not in page
    assert "7790 images" in page
    Tags(page)


def test_one_line_of_log_is_drawn(folder: RunFolder) -> None:
    line = {"step": 10, "images": 640, "seconds": 5.0, "loss_d": 0.0, "loss_g": 0.0}
    folder.log.write_text(json.dumps(line) + "\n")
    chart = re.findall(r"<svg.*?</svg>", render(folder), re.S)[0]
    points = ElementTree.fromstring(chart).findall("polyline")[0].attrib["points"].split()
    assert len(points) == 2
