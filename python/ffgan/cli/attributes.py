# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan attributes`."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffgan.cli.options import add_threads, use_threads
from ffgan.cli.output import notice, shown_log
from ffgan.cli.parser import Command, Parser, integer, local_path
from ffgan.cli.progress import progress_bars
from ffgan.errors import UsageError
from ffgan.latent import MAX_SEED
from ffgan.locations import Location, place, shown
from ffgan.wording import counted

if TYPE_CHECKING:
    from ffgan.attributes import MeasuredPictures, Table
    from ffgan.typing import ProgressCallback

SAMPLES = 1000
MAX_SAMPLES = 1_000_000
LINE_EVERY = 10.0  # seconds, where there is no terminal
LISTED = 10  # files that are named of those that have no face or are broken

NOTHING = 2  # the exit status where no face was measured

EXAMPLES = """\
examples:
  ffgan attributes photos                      what the faces look like
  ffgan attributes photos --out faces.csv      and a row for each face
  ffgan attributes me.jpg you.jpg --json
  ffgan attributes photos --names age,smile    only these
  ffgan attributes photos --model              beside the packaged model's faces
  ffgan attributes photos --beside others      two sets side by side
  ffgan attributes --model FILE --samples 2000

Needs pip install 'ffgan[faces]'."""


def add_options(parser: Parser) -> None:
    from ffgan.attributes import ATTRIBUTES
    from ffgan.faces import DETECTORS
    from ffgan.faces.detection import MAX_UPSAMPLE

    parser.add_argument(
        "images",
        metavar="IMAGES",
        nargs="*",
        type=place,
        help="pictures, folders and archives of pictures, files made by `pack`",
    )
    parser.add_argument(
        "--names",
        metavar="A,B",
        help=f"only these attributes, of {', '.join(ATTRIBUTES)} (default: all)",
    )
    compared = parser.add_argument_group("side by side")
    compared.add_argument(
        "--beside", metavar="DIR", type=place, help="another picture or folder (default: none)"
    )
    compared.add_argument(
        "--model",
        metavar="FILE",
        nargs="?",
        type=local_path,
        const=Path(),
        help="faces of this model; without FILE, of the packaged one (default: none)",
    )
    compared.add_argument(
        "--samples",
        metavar="N",
        type=integer(1, MAX_SAMPLES),
        default=SAMPLES,
        help="first draws of the model (default: %(default)s)",
    )
    compared.add_argument(
        "--seed",
        type=integer(0, MAX_SEED - MAX_SAMPLES),
        default=0,
        help="seed of the first one (default: %(default)s)",
    )
    finding = parser.add_argument_group("finding faces")
    finding.add_argument(
        "--detector",
        choices=DETECTORS,
        default="hog",
        help="hog: dlib's frontal detector; cnn: its network (default: %(default)s)",
    )
    finding.add_argument(
        "--upsample",
        metavar="N",
        type=integer(0, MAX_UPSAMPLE),
        default=0,
        help="double pictures N times to find small faces (default: %(default)s)",
    )
    finding.add_argument(
        "--fast",
        action="store_true",
        help="do not average over mirror images: half the time, larger errors (default: no)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        metavar="FILE",
        type=local_path,
        help="write a row for each face of IMAGES, else of the model, to this .csv, .jsonl, .json, "
        ".npy or .parquet (default: no file)",
    )
    output.add_argument("--json", action="store_true", help="the summary as JSON (default: no)")
    add_threads(output)


def run(arguments: argparse.Namespace) -> int:
    from ffgan.attributes import summary
    from ffgan.attributes.definitions import named
    from ffgan.attributes.summary import text
    from ffgan.attributes.table import check, save

    use_threads(arguments)
    names = None if arguments.names is None else _split(arguments.names)
    wanted = [one.name for one in named(names)]
    if not arguments.images and arguments.model is None:
        raise UsageError("give pictures or folders, or --model (see ffgan attributes --help)")
    if arguments.beside is not None and not arguments.images:
        raise UsageError("--beside: give the first set too: ffgan attributes DIR --beside OTHER")
    if arguments.out is not None:
        check(arguments.out)  # told now, not after an hour
    sets: dict[str, Table] = {}
    rows: tuple[list[str], Table] | None = None
    with progress_bars(line_every=LINE_EVERY) as progress, shown_log("ffgan.attributes"):
        for paths in filter(None, (arguments.images, arguments.beside and [arguments.beside])):
            found = _of_files(paths, wanted, arguments, progress)
            one = shown(paths[0])
            title = one if len(paths) == 1 else counted(found.looked_at, "picture")
            sets[_new(title, sets)] = found.table
            rows = rows or (found.names, found.table)
        if arguments.model is not None:
            seeds, table, title = _of_model(wanted, arguments, progress)
            sets[_new(title, sets)] = table
            rows = rows or (seeds, table)
    if arguments.out is not None and rows is not None:
        from ffgan.attributes.table import with_images

        save(arguments.out, with_images(*rows))
    figures = {title: summary(table) for title, table in sets.items()}
    print(json.dumps(figures, indent=2) if arguments.json else text(figures))
    return 0 if all(len(table) for table in sets.values()) else NOTHING


def _new(title: str, sets: dict[str, Table]) -> str:
    return title if title not in sets else _new(f"{title} again", sets)


def _split(names: str) -> list[str]:
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not found:
        raise UsageError("--names: give attributes, such as --names age,smile")
    return found


def _of_files(
    paths: list[Location],
    names: list[str],
    arguments: argparse.Namespace,
    progress: ProgressCallback,
) -> MeasuredPictures:
    """The faces in files; says which of these have none."""
    from ffgan.attributes import measure_files

    found = measure_files(
        paths,
        names,
        robust=not arguments.fast,
        detector=arguments.detector,
        upsample=arguments.upsample,
        progress=progress,
    )
    for name, reason in found.broken[:LISTED]:
        notice(f"{name}: {reason}")
    _more(len(found.broken), "broken pictures")
    for name in found.without_face[:LISTED]:
        notice(f"{name}: no face was found")
    _more(len(found.without_face), "pictures without a face")
    unusable = len(found.broken) + len(found.without_face)
    if unusable:
        notice(
            f"{counted(len(found.table), 'face')} in {counted(found.looked_at, 'picture')}: "
            f"{len(found.without_face):,} without a face, {len(found.broken):,} broken"
        )
    return found


def _more(count: int, what: str) -> None:
    if count > LISTED:
        notice(f"and {count - LISTED:,} more {what}")


def _of_model(
    names: list[str], arguments: argparse.Namespace, progress: ProgressCallback
) -> tuple[list[str], Any, str]:
    """The seeds and faces of first draws of a model, and what it is called."""
    import numpy as np

    from ffgan.attributes import measure
    from ffgan.attributes.measurement import BLOCK
    from ffgan.dataset import printable
    from ffgan.model import Model

    model = Model.load(None if arguments.model == Path() else arguments.model)
    parts, count = [], arguments.samples
    for start in range(0, count, BLOCK):
        number = min(BLOCK, count - start)
        drawn = model.render(model.latents(number, arguments.seed + start))
        parts.append(measure(drawn, names, robust=not arguments.fast))
        progress("samples", start + number, count)
    seeds = [f"seed {seed}" for seed in range(arguments.seed, arguments.seed + count)]
    packaged = model.path is None or arguments.model == Path()
    title = "packaged model" if packaged else printable(os.fsencode(arguments.model))
    return seeds, np.concatenate(parts), title


COMMAND = Command(
    "Measure what faces look like: age, gender, pose, expression, colours and light.",
    EXAMPLES,
    add_options,
    run,
    prints=True,
)
