# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan fit-attributes`: learn what a model's latents do to its faces, and put it in its file."""

from __future__ import annotations

import argparse

from ffgan.cli.options import add_threads, use_threads
from ffgan.cli.output import make_folder
from ffgan.cli.parser import Command, Parser, integer, local_path
from ffgan.cli.progress import progress_bars
from ffgan.latent import MAX_SEED

EXAMPLES = """\
examples:
  ffgan fit-attributes runs/photos/model.safetensors
  ffgan fit-attributes model.safetensors --out with-attributes.safetensors

What is learnt is written into the model file, whose parameters stay as they
are. Afterwards `ffgan gen --model FILE --set age=40` works with the file."""

HEADINGS = ("column", "from", "to", "R2 linear", "R2")


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "source", metavar="MODEL", type=local_path, help="a .safetensors model file"
    )
    parser.add_argument(
        "--samples",
        metavar="N",
        type=integer(200, 1_000_000),
        default=6000,
        help="faces to measure (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=integer(0, MAX_SEED),
        default=0,
        help="of the faces' latents (default: %(default)s)",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=local_path, help="the file to write (default: MODEL itself)"
    )
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    from ffgan import control
    from ffgan.model import Model

    use_threads(arguments)
    model = Model.load(arguments.source)
    source = model.path or arguments.source  # "table" is a packaged one
    target = arguments.out or source
    make_folder(target.parent)
    with progress_bars(line_every=60) as progress:
        fitted = control.fit(
            model, samples=arguments.samples, seed=arguments.seed, progress=progress
        )
    control.save(fitted, source, target)
    rows: list[tuple[str, ...]] = [HEADINGS]
    for column, (low, high), *shares in zip(
        fitted.columns, fitted.limits.values(), fitted.linear_fit, fitted.fit, strict=True
    ):
        rows.append((column, f"{low:g}", f"{high:g}", *(f"{share:.3f}" for share in shares)))
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for first, *others in rows:
        numbers = (f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True))
        print(f"{first:<{widths[0]}}", *numbers, sep="  ")
    print(f"model: {target}")
    return 0


COMMAND = Command(
    "Measure a model's faces and learn how its latents change their attributes.",
    EXAMPLES,
    add_options,
    run,
)
