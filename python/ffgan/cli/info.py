# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan info`: the layers of the networks, a model's metadata, the engine, the versions."""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
from importlib import metadata
from typing import Any

from ffgan import __version__, _core
from ffgan.cli.info_tables import print_plain, print_tables
from ffgan.cli.options import MODEL_HELP, add_threads, use_threads
from ffgan.cli.output import notice
from ffgan.cli.parser import Command, Parser, integer, local_path
from ffgan.errors import ModelError
from ffgan.model import Model

DEFAULT_PROFILE_BATCH = 16

ATTRIBUTES = "attributes"
"""The place of the fitted attributes in a model's metadata, which only `ffgan.control` reads."""

EXAMPLES = """\
examples:
  ffgan info                            of the packaged model
  ffgan info --json --model FILE        for programs
  ffgan info --discriminator table      the layers of the other discriminator
  ffgan info --profile                  where the time goes, layer by layer"""


def add_options(parser: Parser) -> None:
    parser.add_argument("--model", metavar="FILE", type=local_path, help=MODEL_HELP)
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
            # The map of the attributes is 30 KB of numbers; what it can do is told instead.
            "metadata": {name: text for name, text in model.metadata.items() if name != ATTRIBUTES},
            "attributes": fitted_attributes(model),
        }
    return facts


def fitted_attributes(model: Model) -> dict[str, dict[str, float]]:
    """By column, the range that can be asked for and R squared; empty without a fitted map."""
    if ATTRIBUTES not in model.metadata:
        return {}
    from ffgan import control

    fitted = control.attribute_map(model)
    return {
        column: {"low": low, "high": high, "r_squared": float(share)}
        for (column, (low, high)), share in zip(fitted.limits.items(), fitted.fit, strict=True)
    }


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


COMMAND = Command(
    "Print the networks' layers, the model's metadata and what the engine runs on.",
    EXAMPLES,
    add_options,
    run,
    prints=True,
)
