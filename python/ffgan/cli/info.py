# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan info`: the layers of the networks, a model's metadata, the engine, the versions."""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ffgan import __version__, _core
from ffgan.cli.options import MODEL_HELP, add_threads, use_threads
from ffgan.cli.output import notice
from ffgan.cli.parser import Command, Parser, integer
from ffgan.errors import ModelError
from ffgan.model import Model

DEFAULT_PROFILE_BATCH = 16

EXAMPLES = """\
examples:
  ffgan info                            of the packaged model
  ffgan info --json --model FILE        for programs
  ffgan info --discriminator table      the layers of the other discriminator
  ffgan info --profile                  where the time goes, layer by layer"""


def add_options(parser: Parser) -> None:
    parser.add_argument("--model", metavar="FILE", type=Path, help=MODEL_HELP)
    parser.add_argument(
        "--discriminator",
        choices=("program", "table"),
        help="which discriminator's layers (default: the model's)",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="also measure each layer's time, in inference and in training (default: no)",
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        type=integer(1, 1024),
        default=DEFAULT_PROFILE_BATCH,
        help="images at a time in the profile of training (default: %(default)s)",
    )
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="as JSON (default: as tables)")


def run(arguments: argparse.Namespace) -> int:
    use_threads(arguments)
    model: Model | None = None
    try:
        model = Model.load(arguments.model)
    except ModelError as error:
        # Without a packaged model the networks and the engine can still be told.
        if arguments.model is not None:
            raise
        notice(f"warning: {error}")
    discriminator = arguments.discriminator or (model.discriminator if model else "program")
    facts = collect(model, discriminator)
    if arguments.profile:
        facts["profile"] = profile(model, discriminator, arguments.batch)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    elif sys.stdout.isatty():
        print_tables(facts)
    else:
        print_plain(facts)
    return 0


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


def profile(model: Model | None, discriminator: str, batch: int) -> dict[str, Any]:
    """Milliseconds by layer, medians: of inference for one image on all cores, and of training's
    convolutions per image, `batch` images at a time.

    Inference is measured where the model has the network, training always. On a device, where
    layers run without the program waiting for each, both are empty.
    """
    networks = ("generator", discriminator)
    measured = {} if model is None else model.profile()
    inference = {name: layers for name, layers in measured.items() if name in networks}
    return {
        "batch": batch,
        "inference": inference,
        "training": {name: _core.profile_training(name, batch) for name in networks},  # type: ignore[arg-type]
    }


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


def heading(title: str, network: dict[str, Any]) -> str:
    return title if title == network["network"] else f'{title} "{network["network"]}"'


COMMAND = Command(
    "print the networks, the model, the engine",
    "Print the layers of the networks, the model's metadata and what the engine runs on.",
    EXAMPLES,
    add_options,
    run,
)
