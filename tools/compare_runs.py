#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frechet distances over the time of several training runs: a table, and a chart as SVG.

    python tools/compare_runs.py OUT.svg runs/NAME...

The runs are those of `python -m ffgan train DIR --heldout OTHER --evaluate-every STEPS`, with the
same images held out. Time is that of training, evaluations included.
"""

from __future__ import annotations

import argparse
import html
import itertools
import math
import sys
from pathlib import Path

from ffgan.errors import UsageError
from ffgan.html_report import Frame
from ffgan.training.run_folder import RunFolder
from ffgan.training.validation import FIGURE

FRAME = Frame(720, 360, 52, 130, 16, 40)
COLOURS = ("#0b63c4", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be185d")

Curve = list[tuple[float, float]]  # minutes, distance


def curve(run: Path) -> Curve:
    """The minutes and the distance of each evaluation of a run; UsageError when there is none."""
    points = [
        (line["seconds"] / 60, line[FIGURE]) for line in RunFolder(run).lines() if FIGURE in line
    ]
    if not points:
        raise UsageError(f"{run} has no evaluation: train it with --heldout")
    return points


def chart(curves: dict[str, Curve]) -> str:
    """An SVG with the distance on a logarithmic axis, each curve with its name at its end."""
    every = [point for points in curves.values() for point in points]
    last = max(minutes for minutes, _ in every)
    low, high = (math.log(f(value for _, value in every)) for f in (min, max))
    low, high = low - 0.1, high + 0.1

    def place(minutes: float, value: float) -> tuple[float, float]:
        across, up = minutes / last, (math.log(value) - low) / (high - low)
        return round(FRAME.x(across), 1), round(FRAME.y(up), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {FRAME.width} {FRAME.height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{FRAME.width}" height="{FRAME.height}" fill="#ffffff"/>',
    ]
    for value in ticks(math.exp(low), math.exp(high)):
        _, y = place(0, value)
        parts.append(
            f'<line x1="{FRAME.left}" x2="{FRAME.end}" y1="{y}" y2="{y}" stroke="#d5dae0"/>'
            f'<text x="{FRAME.left - 6}" y="{y + 4}" text-anchor="end" fill="#5b6672">'
            f"{value:g}</text>"
        )
    for minutes in range(0, int(last) + 1, step(last)):
        x, _ = place(minutes, every[0][1])
        parts.append(
            f'<text x="{x}" y="{FRAME.height - 22}" text-anchor="middle" fill="#5b6672">'
            f"{minutes}</text>"
        )
    middle = (FRAME.left + FRAME.end) / 2
    parts.append(
        f'<text x="{middle}" y="{FRAME.height - 5}" text-anchor="middle" fill="#5b6672">'
        "minutes of training; Frechet distance, logarithmic</text>"
    )
    for (name, points), colour in zip(curves.items(), itertools.cycle(COLOURS)):
        places = [place(*point) for point in points]
        line = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        label = html.escape(f"{name}: {points[-1][1]:.0f}")
        parts.append(f'<text x="{x + 8}" y="{y + 4}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>", ""])


def ticks(low: float, high: float) -> list[float]:
    """The values between both that are 1, 2 or 5 times a power of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]


def step(last: float) -> int:
    """Minutes between two marks of the axis, such that there are at most seven."""
    return next((s for s in (1, 2, 5, 10, 15, 30, 60, 120) if last / s < 7), 240)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path, help="the chart to be written, an SVG")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    given = parser.parse_args()
    try:
        curves = {run.name: curve(run) for run in given.runs}
    except UsageError as error:
        sys.exit(f"error: {error}")
    given.out.write_text(chart(curves), "utf-8")
    print("| run | minutes: Frechet distance |\n|---|---|")
    for name, points in curves.items():
        print(f"| {name} | {', '.join(f'{m:.0f}: {v:.1f}' for m, v in points)} |")


if __name__ == "__main__":
    main()
