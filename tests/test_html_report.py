# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that the HTML pages are made of."""

from __future__ import annotations

import base64
import itertools
import re
from xml.etree import ElementTree

import numpy as np

from ffgan import html_report, images

MARKUP = "<b>\"&'"


def svg(figure: str) -> ElementTree.Element:
    [drawing] = re.findall(r"<svg.*?</svg>", figure, re.S)
    return ElementTree.fromstring(drawing)


def points(line: ElementTree.Element) -> list[tuple[float, float]]:
    places = [place.split(",") for place in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in places]


def test_a_path_that_is_no_text_can_be_written() -> None:
    assert rb"<title>caf\udce9</title>" in html_report.encode(html_report.head("caf\udce9"))


def test_text_is_text_and_not_markup_everywhere() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    for part in (
        html_report.head(MARKUP),
        html_report.table([(MARKUP, MARKUP)], [MARKUP]),
        html_report.inline_image(image, MARKUP, 85, tooltip=True),
        html_report.line_chart(MARKUP, [(MARKUP, [(1, 1)])]),
        html_report.histogram(
            MARKUP, [0, 1], (MARKUP, [1]), (MARKUP, [1]), limit=0.5, limit_label=MARKUP
        ),
    ):
        assert "<b>" not in part
        assert "&lt;b&gt;&quot;&amp;" in part


def test_a_page_has_the_shared_style_and_its_own() -> None:
    page = html_report.head("Title", ".mine {}") + html_report.OPEN + html_report.CLOSE
    assert page.startswith("<!doctype html>")
    assert "prefers-color-scheme: dark" in page
    assert ".mine {}</style></head><body><main></main></body></html>" in page


def test_an_image_is_inside_the_page() -> None:
    image = np.full((20, 30, 3), (250, 0, 0), np.uint8)
    tag = ElementTree.fromstring(html_report.inline_image(image, "red", 95).replace(">", "/>"))
    assert (tag.attrib["width"], tag.attrib["height"], tag.attrib["alt"]) == ("30", "20", "red")
    assert "title" not in tag.attrib
    data = base64.b64decode(tag.attrib["src"].removeprefix("data:image/jpeg;base64,"))
    assert np.abs(images.decode(data).astype(int) - image).max() < 10


def test_a_table_has_a_label_in_each_row() -> None:
    table = ElementTree.fromstring(html_report.table([("a", "1", "2"), ("b", "3", "4")], "xy"))
    assert [[cell.text for cell in row] for row in table] == [
        [None, "x", "y"], ["a", "1", "2"], ["b", "3", "4"]
    ]  # fmt: skip
    assert len(ElementTree.fromstring(html_report.table([("a", "1")]))) == 1


def test_a_curve_keeps_its_shape_and_is_thinned() -> None:
    rising = [(float(step), float(step)) for step in range(1, 10_001)]
    drawing = svg(html_report.line_chart("up", [("values", rising)]))
    line = points(drawing.findall("polyline")[0])
    assert len(line) == html_report.MAX_POINTS
    assert all(a[0] < b[0] and a[1] >= b[1] for a, b in itertools.pairwise(line))
    frame = html_report.CURVES
    assert all(frame.left <= x <= frame.end and frame.top <= y <= frame.base for x, y in line)
    labels = [text.text for text in drawing.findall("text")]
    assert labels == ["0", "5e+03", "1e+04", "step 13", "9988"]


def test_a_single_point_can_be_seen() -> None:
    drawing = svg(html_report.line_chart("one", [("value", [(10.0, 0.0)])]))
    assert len(points(drawing.findall("polyline")[0])) == 2


def test_a_histogram_shows_both_distributions_and_the_limit() -> None:
    figure = html_report.histogram(
        "distance", [0.0, 0.5, 1.0], ("real", [0.25, 0.75]), ("made", [1.0, 0.0]), limit=0.5,
        limit_label="half",
    )  # fmt: skip
    drawing, frame = svg(figure), html_report.HISTOGRAM
    real, made = (points(line) for line in drawing.findall("polyline"))
    assert min(y for _, y in made) == frame.top
    assert min(y for _, y in real) == frame.y(0.75)
    assert real[0] == (frame.left, frame.base)
    assert real[-1] == (frame.end, frame.base)
    limit = next(line for line in drawing.findall("line") if line.attrib["class"] == "limit")
    assert float(limit.attrib["x1"]) == (frame.left + frame.end) / 2
    assert '<span class="key-two">made</span>' in figure
    assert "dashed: half" in figure
