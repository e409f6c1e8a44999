# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as one HTML file that needs nothing else: the verdict, the distances, the pairs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from ffgan import _core, html_report
from ffgan.audit.formatting import rows
from ffgan.audit.nearest_neighbours import SPACES
from ffgan.audit.pipeline import Audit, Pair
from ffgan.audit.verdict import IN_WORDS

QUALITY = 90
STYLE = (
    """
.verdict { border-left: .3rem solid var(--one); padding-left: 1rem; font-size: 1.1rem; }
.copies { border-color: var(--two); }
.pairs { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, 330px); }
.pairs figure { max-width: 330px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; }
"""
    + html_report.HISTOGRAM_STYLE
    + "td + td, th + td { text-align: right; padding-left: 2rem; }\n"
)


def render(audit: Audit) -> str:
    """Return the page of an audit: no script, and no reference to anything outside of it."""
    figures = audit.figures
    samples, train, held_out = figures["samples"], figures["train"], figures["held_out"]
    real = "held-out images" if held_out else "training images, each beside the others"
    model = f"model {samples['model_hash'][:12]}"
    kind = "verdict copies" if figures["verdict"]["copies"] else "verdict"
    last = samples["first_seed"] + samples["count"] - 1
    parts = [
        html_report.head(f"{model}: ffgan audit", STYLE) + html_report.OPEN,
        f"<h1>Does it copy? The audit of {model}</h1>",
        f'<p class="{kind}">{html.escape(figures["verdict"]["text"])}</p>',
        f"<p>{samples['count']} faces of seeds {samples['first_seed']} to {last} "
        f"({'candidates taken' if samples['candidates'] else 'first draws'}), compared with "
        f"{train['count']} training images{' and their mirror images' if train['mirrored'] else ''}"
        f", beside {figures['real_count']} {real}. ffgan {_core.__version__}, "
        f"faces in {samples['precision']}.</p>",
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
            html_report.table(rows(found), ("generated", "real")),
            f"<h2>Generated faces closest to a training image, {IN_WORDS[space]}</h2>",
            "<p>Left: the generated face. Right: the training image.</p>",
            _pairs(audit.pairs[space]),
            f"<h2>For comparison: {real} closest to a training image</h2>",
            "<p>How close images of different people come.</p>",
            _pairs(audit.real_pairs[space]),
        ]
    parts.append(html_report.CLOSE)
    return "\n".join(parts)


def _histogram(found: dict[str, Any], real: str) -> str:
    """Both distributions of the distance to the nearest training image."""
    shares, limit = found["distances"]["histogram"], found["below_threshold"]["threshold"]
    return html_report.histogram(
        "Distance to the nearest training image",
        shares["edges"],
        (real, shares["real"]),
        ("generated faces", shares["samples"]),
        limit=limit,
        limit_label=f"the threshold {limit:.4f}, the 1st percentile of the latter",
    )


def _pairs(pairs: Sequence[Pair]) -> str:
    figures = []
    for pair in pairs:
        mirrored = ", mirrored" if pair.mirrored else ""
        caption = html.escape(f"{pair.distance:.4f} · {pair.name} · {pair.training_name}{mirrored}")
        figures.append(
            f'<figure><div class="pair">'
            f"{html_report.inline_image(pair.image, pair.name, QUALITY)}"
            f"{html_report.inline_image(pair.training, pair.training_name, QUALITY)}</div>"
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return f'<div class="pairs">{"".join(figures)}</div>'
