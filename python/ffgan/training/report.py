# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: a run's curves, samples and settings in one file that needs nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffgan import _core, html_report, images
from ffgan.errors import CheckpointError, DatasetError
from ffgan.progress import duration
from ffgan.training.run_folder import RunFolder, step_of, write
from ffgan.training.validation import FIGURE

MAX_GRIDS = 12
NEWEST_GRID, OLDER_GRID = 972, 486
QUALITY = 85


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
    Chart("Frechet distance of features", (("feature_frechet", "features"),)),
    Chart("Distance of the anchor's images", (("perceptual", "perceptual"),)),
)

CHARTS_OF_SPEED = (
    Chart("Speed", (("images_per_second", "images per second"),)),
    Chart("Share of the time spent waiting for images", (("waiting", "waiting"),), 1.0),
)


# What other values than those that a run writes lead to.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


def charts(lines: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """The charts of a run with these lines: those of the core's losses too, if it had them."""
    of_losses = [
        Chart(loss["title"], ((loss["measure"], loss["unit"]),))
        for loss in _core.generator_losses()
        if any(line.get(loss["measure"]) for line in lines)
    ]
    return [*CHARTS, *of_losses, *CHARTS_OF_SPEED]


def write_report(folder: RunFolder) -> None:
    """Write the run folder's report.html from its config.json, train.jsonl and samples.

    Raises CheckpointError when it cannot be written, or what it shows cannot be read.
    """
    try:
        page = render(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write {folder.report}: {error}") from error
    except _DAMAGE as error:
        raise CheckpointError(
            f"cannot write {folder.report}: {folder.config} or {folder.log} is damaged ({error!r})"
        ) from error
    write(folder.report, html_report.encode(page))


def render(folder: RunFolder) -> str:
    """The report's HTML: no script, and no reference to anything outside of it."""
    config = json.loads(folder.config.read_text("utf-8"))
    lines = folder.lines()
    name = folder.path.resolve().name
    parts = [
        html_report.head(f"{name}: ffgan training") + html_report.OPEN,
        f"<h1>{html.escape(name)}</h1>",
        f"<p>{html.escape(_summary(config, lines))}</p>",
    ]
    curves = [svg for chart in charts(lines) if (svg := _draw(chart, lines))]
    if curves:
        parts += ["<h2>Curves</h2>", '<div class="curves">', *curves, "</div>"]
    paths = folder.sample_paths()
    if paths:
        parts += ["<h2>Samples</h2>", _grid(paths[-1], NEWEST_GRID, "newest")]
        older = [_grid(path, OLDER_GRID, "older") for path in _spread(paths[:-1], MAX_GRIDS - 1)]
        if older:
            parts += ["<h2>Earlier samples</h2>", '<div class="grids">', *reversed(older), "</div>"]
    parts.append("<h2>Settings</h2>")
    settings = config["settings"].items()
    parts.append(
        html_report.table(
            (name.replace("_", "-"), "none" if value is None else str(value))
            for name, value in settings
        )
    )
    if config["changes"]:
        parts.append("<h2>Changes on the way</h2>")
        rows = [
            (f"from step {change['step']}", f"{option}: {old} to {new}")
            for change in config["changes"]
            for option, (old, new) in change["settings"].items()
        ]
        parts.append(html_report.table(rows))
    parts.append(html_report.CLOSE)
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


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the paths, evenly over all of them, the first one included."""
    if len(paths) <= count:
        return list(paths)
    return [paths[round(i * (len(paths) - 1) / (count - 1))] for i in range(count)]


def _grid(path: Path, size: int, kind: str) -> str:
    caption = f"after {step_of(path)} steps"
    try:
        grid = images.decode(path.read_bytes())
    except (OSError, DatasetError) as error:
        why = f"{caption}: cannot be shown ({error})"
        return f'<figure class="{kind}"><figcaption>{html.escape(why)}</figcaption></figure>'
    height, width = grid.shape[:2]
    if width > size:
        grid = images.resize(grid, (round(height * size / width), size))
    image = html_report.inline_image(grid, f"36 faces {caption}", QUALITY)
    return f'<figure class="{kind}">{image}<figcaption>{caption}</figcaption></figure>'


def _draw(chart: Chart, lines: Sequence[dict[str, Any]]) -> str:
    curves = []
    for key, label in chart.series:
        points = [(float(line["step"]), float(line[key])) for line in lines if key in line]
        if points:
            curves.append((label, points))
    return html_report.line_chart(chart.title, curves, chart.top) if curves else ""
