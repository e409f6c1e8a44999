# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of an HTML page that needs nothing else: shell, style, charts, tables, images.

The training report, the audit's page and the contact sheet are made of them: no script, and no
reference to anything outside of the file. Text is escaped here.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ffgan import images
from ffgan.typing import RGB

Point: TypeAlias = tuple[float, float]

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #d5dae0;
  --one: #0b63c4; --two: #c2410c; --soft: #5b6672; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #14171b; --faint: #353c45;
  --one: #6cb2ff; --two: #ff9d6c; --soft: #9aa5b1; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1180px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .875rem; }
.curves, .grids { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
img, svg { display: block; width: 100%; height: auto; }
.newest { max-width: 972px; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; }
.axis { stroke: var(--faint); } .line { fill: none; stroke-width: 1.5; }
.one { stroke: var(--one); } .two { stroke: var(--two); }
.key-one { color: var(--one); } .key-two { color: var(--two); }
table { border-collapse: collapse; font-size: .875rem; }
th { text-align: left; font-weight: 500; color: var(--soft); padding-right: 2rem; }
td, th { border-bottom: 1px solid var(--faint); padding-block: .2rem; overflow-wrap: anywhere; }
"""
"""What all pages share; `head` takes what a page adds."""

HISTOGRAM_STYLE: Final = """\
.histogram { max-width: 640px; }
.one-area { fill: var(--one); opacity: .25; } .two-area { fill: var(--two); opacity: .25; }
.limit { stroke: var(--soft); stroke-dasharray: 4 3; }
"""

OPEN: Final = "<body><main>"
CLOSE: Final = "</main></body></html>\n"

MAX_POINTS: Final = 400
"""More points of a curve are averaged."""


@dataclass(frozen=True)
class Frame:
    """A drawing of ``width`` x ``height``, and the margins around what is plotted in it."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def base(self) -> int:
        """The height of the horizontal axis."""
        return self.height - self.bottom

    @property
    def end(self) -> int:
        """Where the horizontal axis ends."""
        return self.width - self.right

    def x(self, share: float) -> float:
        """The place of a share, from 0 to 1, along the horizontal axis."""
        return self.left + share * (self.width - self.left - self.right)

    def y(self, share: float) -> float:
        """The place of a share, from 0 to 1, of the plot's height."""
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


CURVES: Final = Frame(400, 170, 44, 10, 10, 24)
HISTOGRAM: Final = Frame(640, 220, 44, 10, 10, 26)


def head(title: str, style: str = "") -> str:
    """Return a page up to its body, for `OPEN`, the content and `CLOSE` to follow."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head>",
        ]
    )


def encode(page: str) -> bytes:
    """The page's file; of paths that are no text, the bytes are escaped."""
    return page.encode("utf-8", "backslashreplace")


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Return a table: of each row the first cell is its label. ``header``: of the other columns."""
    first = f"<tr><th></th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in header)}</tr>"
    lines = (
        f'<tr><th scope="row">{html.escape(label)}</th>'
        f"{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
        for label, *cells in rows
    )
    return f"<table>{first if header else ''}{''.join(lines)}</table>"


def inline_image(image: RGB, alt: str, quality: int, *, tooltip: bool = False) -> str:
    """Return ``image`` (rows, columns, 3) uint8 RGB as a JPEG inside the page.

    ``alt`` says what it shows; with a ``tooltip`` also to those who point at it.
    """
    data = base64.b64encode(images.encode(image, "jpg", quality)).decode()
    text = html.escape(alt)
    title = f' title="{text}"' if tooltip else ""
    rows, columns = image.shape[:2]
    return (
        f'<img alt="{text}"{title} width="{columns}" height="{rows}" '
        f'src="data:image/jpeg;base64,{data}">'
    )


def line_chart(
    title: str, curves: Sequence[tuple[str, Sequence[Point]]], top: float | None = None
) -> str:
    """Return one or two curves over the steps, each a label and its points, as an SVG figure.

    The vertical axis begins at 0 and ends at ``top``, or where all points have room.
    """
    frame = CURVES
    curves = [(label, _thin(points)) for label, points in curves]
    every = [point for _, points in curves for point in points]
    first, last = min(x for x, _ in every), max(x for x, _ in every)
    top = top or _round_up(max(y for _, y in every))

    def place(x: float, y: float) -> str:
        across = (x - first) / (last - first) if last > first else 0.5
        return f"{frame.x(across):.1f},{frame.y(min(max(y / top, 0.0), 1.0)):.1f}"

    parts = [
        f'<figure><svg viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'aria-label="{html.escape(title)}">'
    ]
    for tick in (0.0, 0.5, 1.0):
        y, beside = frame.y(tick), frame.left - 6
        parts.append(f'<line class="axis" x1="{frame.left}" x2="{frame.end}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{beside}" y="{y + 4}" text-anchor="end">{top * tick:.3g}</text>')
    below = frame.height - 6
    parts.append(f'<text x="{frame.left}" y="{below}">step {first:.0f}</text>')
    parts.append(f'<text x="{frame.end}" y="{below}" text-anchor="end">{last:.0f}</text>')
    for (_, points), colour in zip(curves, ("one", "two"), strict=False):
        places = [place(x, y) for x, y in points]
        if len(places) == 1:
            # A line needs two points to be seen.
            across, up = places[0].split(",")
            places.append(f"{float(across) + 1:.1f},{up}")
        parts.append(f'<polyline class="line {colour}" points="{" ".join(places)}"/>')
    keys = " · ".join(
        f'<span class="key-{colour}">{html.escape(label)} {points[-1][1]:.3g}</span>'
        for (label, points), colour in zip(curves, ("one", "two"), strict=False)
    )
    parts.append(f"</svg><figcaption>{html.escape(title)}: {keys}</figcaption></figure>")
    return "".join(parts)


def histogram(
    title: str,
    edges: Sequence[float],
    one: tuple[str, Sequence[float]],
    two: tuple[str, Sequence[float]],
    *,
    limit: float,
    limit_label: str,
) -> str:
    """Return two distributions as an SVG figure, ``two`` over ``one``: each a label and its shares.

    The shares are of the n bins between n + 1 ``edges``; a dashed line stands at ``limit``.
    """
    frame = HISTOGRAM
    top = max(*two[1], *one[1])
    first, last = float(edges[0]), float(edges[-1])

    def across(value: float) -> float:
        return frame.x((value - first) / (last - first))

    def area(shares: Sequence[float], colour: str) -> str:
        points = [f"{across(first):.1f},{frame.base}"]
        for share, low, high in zip(shares, edges, edges[1:], strict=False):
            y = frame.y(share / top)
            points += [f"{across(low):.1f},{y:.1f}", f"{across(high):.1f},{y:.1f}"]
        points.append(f"{across(last):.1f},{frame.base}")
        places = " ".join(points)
        return (
            f'<polygon class="{colour}-area" points="{places}"/>'
            f'<polyline class="line {colour}" points="{places}"/>'
        )

    at, below = f"{across(limit):.1f}", frame.height - 6
    return (
        f'<figure class="histogram"><svg viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'aria-label="{html.escape(title)}">'
        f'<line class="axis" x1="{frame.left}" x2="{frame.end}" y1="{frame.base}" '
        f'y2="{frame.base}"/>{area(one[1], "one")}{area(two[1], "two")}'
        f'<line class="limit" x1="{at}" x2="{at}" y1="{frame.top}" y2="{frame.base}"/>'
        f'<text x="{frame.left}" y="{below}">{first:.3f}</text>'
        f'<text x="{frame.end}" y="{below}" text-anchor="end">{last:.3f}</text></svg>'
        f'<figcaption>{html.escape(title)}: <span class="key-two">{html.escape(two[0])}</span> · '
        f'<span class="key-one">{html.escape(one[0])}</span> · dashed: '
        f"{html.escape(limit_label)}</figcaption></figure>"
    )


def _thin(points: Sequence[Point]) -> list[Point]:
    """At most `MAX_POINTS` points: the means of neighbours."""
    size = math.ceil(len(points) / MAX_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), max(size, 1))]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    if value <= 0.0 or not math.isfinite(value):
        return 1.0
    power = float(10.0 ** math.floor(math.log10(value)))
    steps = (power * factor for factor in (1, 2, 5, 10))
    return next((step for step in steps if value <= step), value)  # that near the least of numbers
