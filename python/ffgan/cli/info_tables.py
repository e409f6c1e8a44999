# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables that `ffgan info` prints, drawn on a terminal and plain elsewhere."""

from __future__ import annotations

from typing import Any

HEADINGS = ("layer", "output", "parameters", "multiply-adds")


def print_plain(facts: dict[str, Any]) -> None:
    for title in ("generator", "discriminator"):
        network = facts[title]
        print(heading(title, network))
        rows = [HEADINGS, *layer_rows(network)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            left = "  ".join(f"{row[column]:<{widths[column]}}" for column in (0, 1))
            right = "  ".join(f"{row[column]:>{widths[column]}}" for column in (2, 3))
            print(f"  {left}  {right}")
        print()
    for title, pairs in fact_rows(facts).items():
        print(title)
        width = max(len(name) for name, _ in pairs)
        for name, value in pairs:
            print(f"  {name:<{width}}  {value}")
        print()
    for title, lines in profile_tables(facts).items() if "profile" in facts else ():
        print(title)
        columns = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for line in lines:
            first, *others = line
            numbers = "  ".join(
                f"{cell:>{width}}" for cell, width in zip(others, columns[1:], strict=True)
            )
            print(f"  {first:<{columns[0]}}  {numbers}")
        print()


def print_tables(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for title in ("generator", "discriminator"):
        table = Table(title=heading(title, facts[title]), title_justify="left")
        for column, name in enumerate(HEADINGS):
            table.add_column(name, justify="left" if column < 2 else "right")
        *layers, total = layer_rows(facts[title])
        for row in layers:
            table.add_row(*(Text(cell) for cell in row))
        table.add_section()
        table.add_row(*total, style="bold")
        console.print(table)
    for title, pairs in fact_rows(facts).items():
        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column()
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(Text(name), Text(value))
        console.print(table)
    for title, lines in profile_tables(facts).items() if "profile" in facts else ():
        table = Table(title=title, title_justify="left")
        for column, name in enumerate(lines[0]):
            table.add_column(name, justify="left" if column == 0 else "right")
        for line in lines[1:-1]:
            table.add_row(*line)
        table.add_section()
        table.add_row(*lines[-1], style="bold")
        console.print(table)


def profile_tables(facts: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The profile as tables: title -> rows, the first one the headings.

    GFLOP/s count the multiplications of the plain algorithm, which minimal filtering does without.
    """
    measured = facts["profile"]
    multiply_adds = {
        facts[title]["network"]: {
            layer["name"]: layer["multiply_adds"] for layer in facts[title]["layers"]
        }
        for title in ("generator", "discriminator")
    }

    def speed(network: str, layer: str, milliseconds: float) -> str:
        work = multiply_adds[network].get(layer, 0)
        return f"{2e-6 * work / milliseconds:.0f}" if work and milliseconds > 0 else ""

    tables: dict[str, list[tuple[str, ...]]] = {}
    for network, times in measured["inference"].items():
        rows = [(layer, f"{ms:.3f}", speed(network, layer, ms)) for layer, ms in times]
        total = sum(ms for _, ms in times)
        work = 2e-6 * sum(multiply_adds[network].values()) / total if total else 0.0
        rows.append(("total", f"{total:.3f}", f"{work:.0f}"))
        tables[f"{network}, inference of one image"] = [("layer", "ms", "GFLOP/s"), *rows]
    for network, layers in measured["training"].items():
        lines: list[tuple[str, ...]] = []
        for layer, *times in layers:
            cells = (cell for ms in times for cell in (f"{ms:.3f}", speed(network, layer, ms)))
            lines.append((layer, *cells))
        sums = [sum(times) for times in zip(*(layer[1:] for layer in layers), strict=True)]
        lines.append(("total", *(cell for ms in sums for cell in (f"{ms:.3f}", ""))))
        title = f"{network}, convolutions in training, per image of {measured['batch']}"
        headings = ("layer", "forward ms", "GFLOP/s", "data gradient ms", "GFLOP/s")
        tables[title] = [(*headings, "filter gradient ms", "GFLOP/s"), *lines]
    return tables


def layer_rows(network: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    rows = [
        (
            layer["name"],
            "x".join(str(side) for side in layer["shape"]),
            f"{layer['parameters']:,}",
            f"{layer['multiply_adds']:,}",
        )
        for layer in network["layers"]
    ]
    return [*rows, ("total", "", f"{network['parameters']:,}", f"{network['multiply_adds']:,}")]


def fact_rows(facts: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """The parts of `info` below the networks: title -> rows of name and value."""
    model = facts["model"]
    rows: list[tuple[str, str]] = [("model", "none")]
    if model is not None:
        rows = [(name, str(model[name])) for name in ("path", "hash", "discriminator", "threshold")]
        rows += [(name, value) for name, value in model["metadata"].items() if name not in model]
        rows += attribute_rows(model["attributes"])
    engine = [(name, str(value)) for name, value in facts["engine"].items()]
    return {"model": rows, "engine": engine, "versions": list(facts["versions"].items())}


def attribute_rows(fitted: dict[str, dict[str, float]]) -> list[tuple[str, str]]:
    """What the model's faces can be asked for, by the names that ask for it."""
    if not fitted:
        return []
    from ffgan.attributes import ATTRIBUTES

    rows: list[tuple[str, str]] = []
    for name, one in ATTRIBUTES.items():
        if one.column in fitted:
            ends = fitted[one.column]
            can = f"{ends['low']:g} to {ends['high']:g} {one.unit}".rstrip()
            rows.append((f"attribute {name}", ", ".join(one.choices) or can))
    return rows


def heading(title: str, network: dict[str, Any]) -> str:
    return title if title == network["network"] else f'{title} "{network["network"]}"'
