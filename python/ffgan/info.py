# SPDX-License-Identifier: GPL-3.0-or-later
"""What `info` tells: the layers of the networks, a model's metadata, the engine, the versions."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from typing import Any

from ffgan import __version__, _core
from ffgan.model import Model


def collect(model: Model | None, discriminator: str) -> dict[str, Any]:
    """All that `info` tells, as JSON's types."""
    networks = {}
    for title, name in (("generator", "generator"), ("discriminator", discriminator)):
        layers = _core.layers(name)  # type: ignore[arg-type]
        networks[title] = {
            "network": name,
            "layers": [{**layer, "shape": list(layer["shape"])} for layer in layers],
            "parameters": sum(layer["parameters"] for layer in layers),
            "multiply_adds": sum(layer["multiply_adds"] for layer in layers),
        }
    facts: dict[str, Any] = {
        **networks,
        "model": None,
        "engine": dict(_core.engine()),
        "versions": versions(),
    }
    if model is not None:
        facts["model"] = {
            "path": None if model.path is None else str(model.path),
            "hash": model.hash,
            "discriminator": model.discriminator,
            "threshold": model.threshold,
            "metadata": dict(model.metadata),
        }
    return facts


def versions() -> dict[str, str]:
    """The versions of ffgan, Python and the packages that matter to a report of a fault."""
    found = {
        "ffgan": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    packages = ("numpy", "safetensors", "opencv-python", "opencv-python-headless", "fastapi")
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


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
    engine = [(name, str(value)) for name, value in facts["engine"].items()]
    return {"model": rows, "engine": engine, "versions": list(facts["versions"].items())}


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


def heading(title: str, network: dict[str, Any]) -> str:
    return title if title == network["network"] else f'{title} "{network["network"]}"'
