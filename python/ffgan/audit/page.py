# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as one HTML file that needs nothing else: the verdict, the distances, the pairs."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

from ffgan import _core, images
from ffgan.audit import IN_WORDS, Audit, Pair, rows
from ffgan.audit.nearest_neighbours import SPACES
from ffgan.training.report import STYLE
from ffgan.typing import RGB

QUALITY = 90
WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 26

PAGE_STYLE = """
.verdict { border-left: .3rem solid var(--one); padding-left: 1rem; font-size: 1.1rem; }
.copies { border-color: var(--two); }
.pairs { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, 330px); }
.pairs figure { max-width: 330px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; }
.histogram { max-width: 640px; }
.one-area { fill: var(--one); opacity: .25; } .two-area { fill: var(--two); opacity: .25; }
.limit { stroke: var(--soft); stroke-dasharray: 4 3; }
td + td, th + td { text-align: right; padding-left: 2rem; }
"""


def render(audit: Audit) -> str:
    """Return the page of an audit: no script, and no reference to anything outside of it."""
    figures = audit.figures
    samples, train, held_out = figures["samples"], figures["train"], figures["held_out"]
    real = "held-out images" if held_out else "training images, each beside the others"
    model = f"model {samples['model_hash'][:12]}"
    kind = "verdict copies" if figures["verdict"]["copies"] else "verdict"
    last = samples["first_seed"] + samples["count"] - 1
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{model}: ffgan audit</title><style>{STYLE}{PAGE_STYLE}</style></head><body><main>",
        f"<h1>Does it copy? The audit of {model}</h1>",
        f'<p class="{kind}">{html.escape(figures["verdict"]["text"])}</p>',
        f"<p>{samples['count']} faces of seeds {samples['first_seed']} to {last} "
        f"({'candidates taken' if samples['candidates'] else 'first draws'}), compared with "
        f"{train['count']} training images{' and their mirror images' if train['mirrored'] else ''}"
        f", beside {figures['real_count']} {real}. ffgan {_core.__version__}.</p>",
    ]
    if held_out and held_out["in_training"]:
        parts.append(
            f'<p class="verdict copies">{held_out["in_training"]} of the held-out images are '
            "training images, which hides copying.</p>"
        )
    for space in SPACES:
        found = figures["spaces"][space]
        parts += [
            f"<h2>Compared {IN_WORDS[space]}</h2>",
            f"<p>{html.escape(figures['measured_with'][space])}</p>",
            _histogram(found, real),
            _table(rows(found)),
            f"<h2>Generated faces closest to a training image, {IN_WORDS[space]}</h2>",
            "<p>Left the generated face, right the training image.</p>",
            _pairs(audit.pairs[space]),
            f"<h2>For comparison: {real} closest to a training image</h2>",
            "<p>So close do images of different people come.</p>",
            _pairs(audit.real_pairs[space]),
        ]
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _histogram(found: dict[str, Any], real: str) -> str:
    """Both distributions of the distance to the nearest training image, one over the other."""
    histogram = found["distances"]["histogram"]
    edges, limit = histogram["edges"], found["below_threshold"]["threshold"]
    top = max(*histogram["samples"], *histogram["real"])
    first, last = float(edges[0]), float(edges[-1])

    def across(value: float) -> float:
        return LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def area(shares: Sequence[float], colour: str) -> str:
        points = [f"{across(first):.1f},{HEIGHT - BOTTOM}"]
        for share, low, high in zip(shares, edges, edges[1:], strict=False):
            y = HEIGHT - BOTTOM - share / top * (HEIGHT - TOP - BOTTOM)
            points += [f"{across(low):.1f},{y:.1f}", f"{across(high):.1f},{y:.1f}"]
        points.append(f"{across(last):.1f},{HEIGHT - BOTTOM}")
        place = " ".join(points)
        return (
            f'<polygon class="{colour}-area" points="{place}"/>'
            f'<polyline class="line {colour}" points="{place}"/>'
        )

    title = "Distance to the nearest training image"
    base = HEIGHT - BOTTOM
    return (
        f'<figure class="histogram"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}"><line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" '
        f'y2="{base}"/>{area(histogram["real"], "one")}{area(histogram["samples"], "two")}'
        f'<line class="limit" x1="{across(limit):.1f}" x2="{across(limit):.1f}" y1="{TOP}" '
        f'y2="{base}"/><text x="{LEFT}" y="{HEIGHT - 6}">{first:.3f}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{last:.3f}</text></svg>'
        f'<figcaption>{title}: <span class="key-two">generated faces</span> · '
        f'<span class="key-one">{real}</span> · dashed: the threshold {limit:.4f}, the 1st '
        "percentile of the latter</figcaption></figure>"
    )


def _table(lines: Sequence[tuple[str, str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{html.escape(label)}</th><td>{ours}</td><td>{theirs}</td></tr>'
        for label, ours, theirs in lines
    )
    return f"<table><tr><th></th><td>generated</td><td>real</td></tr>{cells}</table>"


def _pairs(pairs: Sequence[Pair]) -> str:
    figures = []
    for pair in pairs:
        mirrored = ", mirrored" if pair.mirrored else ""
        caption = html.escape(f"{pair.distance:.4f} · {pair.name} · {pair.training_name}{mirrored}")
        figures.append(
            f'<figure><div class="pair">{_image(pair.image, pair.name)}'
            f"{_image(pair.training, pair.training_name)}</div>"
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return f'<div class="pairs">{"".join(figures)}</div>'


def _image(image: RGB, name: str) -> str:
    data = base64.b64encode(images.encode(image, "jpg", QUALITY)).decode()
    height, width = image.shape[:2]
    return (
        f'<img alt="{html.escape(name)}" width="{width}" height="{height}" '
        f'src="data:image/jpeg;base64,{data}">'
    )
