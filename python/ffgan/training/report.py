# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: a run's curves, samples and settings in one file that needs nothing else."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffgan.progress import duration
from ffgan.training.run_folder import RunFolder, write
from ffgan.training.validation import FIGURE

MAX_GRIDS = 12
MAX_POINTS = 400
NEWEST_GRID, OLDER_GRID = 972, 486
QUALITY = 85

WIDTH, HEIGHT = 400, 170
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 24

STYLE = """
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


@dataclass(frozen=True)
class Chart:
    """Curves over the steps: `series` are pairs of a name in train.jsonl and one for people."""

    title: str
    series: tuple[tuple[str, str], ...]
    top: float | None = None


CHARTS = (
    Chart("Held-out images", ((FIGURE, "Frechet distance"),)),
    Chart("Warm start: reconstruction loss", (("loss", "Laplacian pyramid"),)),
    Chart("Losses", (("loss_d", "discriminator"), ("loss_g", "generator"))),
    Chart(
        "Accuracy of the discriminator",
        (("accuracy_real", "on real images"), ("accuracy_fake", "on fakes")),
        1.0,
    ),
    Chart(
        "Projected discriminator: accuracy on real images",
        (("projected_accuracy", "whole images"), ("detail_accuracy", "details")),
        1.0,
    ),
    Chart(
        "ImageNet discriminator: accuracy on real images",
        (("imagenet_accuracy", "whole images"),),
        1.0,
    ),
    Chart(
        "Energy distances",
        (("identity_distance", "identities"), ("matching_distance", "features")),
    ),
    Chart("Distance of the anchor's images", (("perceptual", "perceptual"),)),
    Chart("Detail of colour, more than in the real images", (("chroma_excess", "mean square"),)),
    Chart("Unevenness over a grid, more than in the real images", (("grid_excess", "variance"),)),
    Chart("Speed", (("images_per_second", "images per second"),)),
    Chart("Share of the time spent waiting for images", (("waiting", "waiting"),), 1.0),
)


def write_report(folder: RunFolder) -> None:
    """Write the run folder's report.html from its config.json, train.jsonl and samples.

    Raises CheckpointError when it cannot be written.
    """
    write(folder.report, render(folder).encode())


def render(folder: RunFolder) -> str:
    """The report's HTML: no script, and no reference to anything outside of it."""
    config = json.loads(folder.config.read_text("utf-8"))
    lines = folder.lines()
    name = html.escape(folder.path.resolve().name)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}: ffgan training</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{name}</h1>",
        f"<p>{html.escape(_summary(config, lines))}</p>",
    ]
    charts = [svg for chart in CHARTS if (svg := _draw(chart, lines))]
    if charts:
        parts += ["<h2>Curves</h2>", '<div class="curves">', *charts, "</div>"]
    paths = sorted(folder.samples.glob("step-*.png"))
    if paths:
        parts += ["<h2>Samples</h2>", _grid(paths[-1], NEWEST_GRID, "newest")]
        older = [_grid(path, OLDER_GRID, "older") for path in _spread(paths[:-1], MAX_GRIDS - 1)]
        if older:
            parts += ["<h2>Earlier samples</h2>", '<div class="grids">', *reversed(older), "</div>"]
    parts.append("<h2>Settings</h2>")
    parts.append(_table(config["settings"].items()))
    if config["changes"]:
        parts.append("<h2>Changes on the way</h2>")
        rows = [
            (f"from step {change['step']}", f"{option}: {old} to {new}")
            for change in config["changes"]
            for option, (old, new) in change["settings"].items()
        ]
        parts.append(_table(rows))
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _summary(config: dict[str, Any], lines: Sequence[dict[str, Any]]) -> str:
    text = f"Trained on {config['images']} images, starting from {config['starts_from']}"
    if lines:
        last = lines[-1]
        text += (
            f": {last['step']} steps, {last['images']} images seen, "
            f"{duration(last['seconds'])} of training"
        )
    measured = [line for line in lines if FIGURE in line]
    if measured:
        best = min(measured, key=lambda line: float(line[FIGURE]))
        text += (
            f"; the best Frechet distance on held-out images is {best[FIGURE]:.2f}, "
            f"after step {best['step']}"
        )
    return f"{text}. ffgan {config['version']}."


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (
        f'<tr><th scope="row">{html.escape(key.replace("_", "-"))}</th>'
        f"<td>{html.escape('none' if value is None else str(value))}</td></tr>"
        for key, value in rows
    )
    return f"<table>{''.join(cells)}</table>"


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the paths, evenly over all of them, the first one included."""
    if len(paths) <= count:
        return list(paths)
    return [paths[round(i * (len(paths) - 1) / (count - 1))] for i in range(count)]


def _grid(path: Path, size: int, kind: str) -> str:
    from ffgan import images

    grid = images.decode(path.read_bytes())
    height, width = grid.shape[:2]
    if width > size:
        grid = images.resize(grid, (round(height * size / width), size))
    data = base64.b64encode(images.encode(grid, "jpg", QUALITY)).decode()
    step = int(path.stem.removeprefix("step-"))
    caption = f"after {step} steps"
    return (
        f'<figure class="{kind}"><img alt="36 faces {caption}" width="{grid.shape[1]}" '
        f'height="{grid.shape[0]}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MAX_POINTS` points: the means of neighbours."""
    size = math.ceil(len(points) / MAX_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), max(size, 1))]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _draw(chart: Chart, lines: Sequence[dict[str, Any]]) -> str:
    curves = []
    for key, label in chart.series:
        points = [(float(line["step"]), float(line[key])) for line in lines if key in line]
        if points:
            curves.append((label, _thin(points)))
    if not curves:
        return ""
    every = [point for _, points in curves for point in points]
    first, last = min(x for x, _ in every), max(x for x, _ in every)
    top = chart.top or _round_up(max(y for _, y in every))

    def place(x: float, y: float) -> str:
        across = (x - first) / (last - first) if last > first else 0.5
        up = min(max(y / top, 0.0), 1.0)
        return (
            f"{LEFT + across * (WIDTH - LEFT - RIGHT):.1f},"
            f"{HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM):.1f}"
        )

    parts = [
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(chart.title)}">'
    ]
    for tick in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - tick * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{top * tick:.3g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">step {first:.0f}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{last:.0f}</text>')
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
    parts.append(f"</svg><figcaption>{html.escape(chart.title)}: {keys}</figcaption></figure>")
    return "".join(parts)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    if value <= 0.0 or not math.isfinite(value):
        return 1.0
    power = float(10.0 ** math.floor(math.log10(value)))
    return next(power * factor for factor in (1, 2, 5, 10) if value <= power * factor)
