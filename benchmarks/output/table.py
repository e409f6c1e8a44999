# SPDX-License-Identifier: GPL-3.0-or-later
"""The results as a table: on the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.engines import SUBJECT
from benchmarks.output.results import Result, RowResult

EXPLANATION = (
    "Median, and the 10th to 90th percentile of all samples. ffgan/it: ffgan's median by this "
    "one's; below 1, ffgan takes less. GFLOP/s: 2 per multiply-add of the direct algorithm, so an "
    "algorithm with fewer multiplications may exceed the peak, which is the speed of a product of "
    "two 2048 x 2048 float32 matrices in the same rounds, by NumPy or PyTorch, whichever is faster."
)


def number(value: float) -> str:
    """Three digits that matter, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def columns(found: RowResult) -> list[str]:
    """The headings of a row's table."""
    headings = [found.row.title, found.row.unit]
    if found.row.measure != "memory":
        headings.append("p10 to p90")
    if found.row.measure != "scaling":
        headings.append("ffgan/it")
    if found.flop is not None:
        headings += ["GFLOP/s", "of peak"]
    return headings


def cells(found: RowResult, result: Result) -> list[str]:
    """What stands below the headings; a problem takes the place of all the numbers."""
    if result.summary is None:
        return [result.title, result.problem or result.absent or "not measured"]
    summary = result.summary
    line = [result.title, number(summary.median)]
    if found.row.measure != "memory":
        line.append(f"{number(summary.p10)} to {number(summary.p90)}")
    if found.row.measure != "scaling":
        ratio = found.ratio(result)
        line.append("" if ratio is None else f"{ratio:.2f}")
    if found.flop is not None:
        gflops, share = found.gflops(result), found.share(result)
        line += ["" if gflops is None else f"{gflops:.0f}"]
        line += ["" if share is None else f"{share:.0%}"]
    return line


def notes(found: RowResult) -> list[str]:
    """What is said below a row's table."""
    lines = list(found.notes)
    if found.sgemm is not None:
        lines.append(f"matrix product meanwhile: {found.sgemm:.0f} GFLOP/s")
    counts = {result.summary.samples for result in found.results if result.summary is not None}
    if counts and found.row.measure != "memory":
        least, most = min(counts), max(counts)
        lines.append(f"{least if least == most else f'{least} to {most}'} samples each")
    return lines


def machine_line(document: dict[str, Any]) -> str:
    """What and on what, in one line."""
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    engine = document["ffgan"]["engine"]
    return (
        f"{machine['processor']} ({' '.join(machine['instructions'])}), {machine['usable_cores']} "
        f"cores, {document['threads']} threads, ffgan's instruction set {engine['instructions']}, "
        f"{document['date']}; {versions}"
    )


def busy_line(document: dict[str, Any]) -> str | None:
    """The warning that belongs on every table of a busy machine."""
    load = document["load"]
    if not load["busy"]:
        return None
    before = (load["before"] or {}).get("others", 0.0)
    most = max(load["most"], before)
    return f"MEASURED ON A BUSY MACHINE (others used up to {most:.2f} cores): not to be relied on"


def show(rows: Sequence[RowResult], document: dict[str, Any], console: Console) -> None:
    """Print everything on the terminal."""
    for found in rows:
        headings = columns(found)
        console.print(Text(headings[0], style="bold"))
        table = Table(box=None, pad_edge=False, padding=(0, 1))
        table.add_column("", no_wrap=True)
        for heading in headings[1:]:
            table.add_column(heading, justify="right", no_wrap=True)
        failed = []
        for result in found.results:
            line = [Text(cell) for cell in cells(found, result)]
            if result.summary is None:
                failed.append(result)
                continue
            table.add_row(*line, style="bold" if result.engine.startswith(SUBJECT) else "")
        console.print(table)
        for result in failed:
            name, problem = cells(found, result)
            console.print(Text(f"  {name}: {problem}"))
        for note in notes(found):
            console.print(Text(f"  {note}"))
        console.print()
    console.print(Text(EXPLANATION))
    console.print(Text(machine_line(document)))
    if busy := busy_line(document):
        console.print(Text(busy), style="bold red")


def markdown(rows: Sequence[RowResult], document: dict[str, Any]) -> str:
    """The same as Markdown, for a README."""
    parts = []
    if busy := busy_line(document):
        parts.append(f"**{busy}**\n")
    for found in rows:
        headings = columns(found)
        lines = [
            "| " + " | ".join(headings) + " |",
            "|---|" + "---:|" * (len(headings) - 1),
        ]
        for result in found.results:
            line = cells(found, result)
            if result.engine == SUBJECT:
                line = [f"**{cell}**" if cell else "" for cell in line]
            line += [""] * (len(headings) - len(line))
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |")
        parts.append("\n".join(lines) + "\n")
        parts += [f"{'; '.join(below)}\n"] if (below := notes(found)) else []
    parts += [EXPLANATION + "\n", machine_line(document) + "\n"]
    return "\n".join(parts)
