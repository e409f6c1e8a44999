# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen --vary`: pictures of one attribute from end to end, or of two against each other."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ffgan import images
from ffgan.cli.asked import asked_text, by_column, constraints, start_of, varied
from ffgan.cli.face_files import FaceFiles, origin
from ffgan.cli.options import chosen_model
from ffgan.cli.parser import integer
from ffgan.cli.progress import progress_bars
from ffgan.errors import UsageError
from ffgan.latent import random_seed
from ffgan.model import Model
from ffgan.shapes import IMAGE_SIZE
from ffgan.wording import counted

if TYPE_CHECKING:
    from ffgan.control import Axis, Constraints, Strip

MOST_STEPS = 100
DEFAULT_STEPS = 7


def add_vary(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the options of strips."""
    parser.add_argument(
        "--vary",
        metavar="NAME[=LOW..HIGH]",
        action="append",
        default=[],
        help="write one picture: each seed a row, the attribute from end to end; given twice: a "
        "picture for each seed, the first attribute across, the second down; files only "
        "(default: single faces)",
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=integer(2, MOST_STEPS),
        help=f"faces from end to end (default: {DEFAULT_STEPS})",
    )


def run(arguments: argparse.Namespace) -> int:
    vary = varied(arguments.vary)
    wanted = constraints(arguments)
    count, size = arguments.count, arguments.size or IMAGE_SIZE
    one_picture = len(vary) == 1 or count == 1
    files = FaceFiles(
        arguments.out,
        count=count,
        sheet=one_picture,
        format=arguments.format,
        quality=arguments.quality,
        size=arguments.size,
    )
    first = random_seed() if arguments.seed is None else arguments.seed
    model = chosen_model(arguments)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    files.origin = origin(model, arguments.truncation, threshold)
    if arguments.latent is not None:
        files.called = arguments.latent.stem
    if wanted is not None:
        files.origin.update(asked_text(wanted, arguments.hold))

    from ffgan import control

    axes = control.axes(vary, control.attribute_map(model), arguments.steps or DEFAULT_STEPS)
    control.cells(axes, wanted)  # refuses what is varied and asked for
    shown = math.prod(len(axis.values) for axis in axes)
    rows = count if len(axes) == 1 else 1
    if shown * rows * size**2 > images.MAX_PIXELS:
        raise UsageError(
            f"--vary: {shown * rows:,} faces of {size} pixels do not fit into one picture: "
            "fewer --steps, fewer faces or a smaller --size"
        )
    files.prepare()
    began = time.monotonic()
    made: list[Strip] = []
    reached = 0
    with progress_bars() as progress:
        for number, strip in enumerate(strips(model, arguments, wanted, vary, first, threshold), 1):
            reached += sum(face.reached for row in strip.faces for face in row)
            progress("strips", number, count)
            if len(axes) == 1:
                made.append(strip)
            else:
                save(files, [strip])
    if made:
        save(files, made)
    total = shown * count
    text = f"{counted(total, 'face')}, {time.monotonic() - began:.1f} s"
    if reached < total:
        text += f", {total - reached:,} did not reach what was asked"
    *_, last = files.written
    where = str(last) if len(files.written) == 1 else f"{len(files.written)} files in {last.parent}"
    print(f"{text}: {where}", flush=True)
    return 0


def strips(
    model: Model,
    arguments: argparse.Namespace,
    wanted: Constraints | None,
    vary: dict[str, str | None],
    first: int,
    threshold: float,
) -> Iterator[Strip]:
    """The strips of all seeds, or of the one latent."""
    from ffgan import control

    steps = arguments.steps or DEFAULT_STEPS
    if arguments.latent is not None:
        free = start_of(arguments.latent, model)
        yield control.strip(
            model, free, vary, wanted, steps=steps, hold=arguments.hold, threshold=threshold
        )
        return
    yield from control.strips(
        model,
        arguments.count,
        first,
        vary,
        wanted,
        steps=steps,
        hold=arguments.hold,
        tries=arguments.tries,
        threshold=threshold,
        truncation=arguments.truncation,
    )


def save(files: FaceFiles, made: list[Strip]) -> None:
    """Write one picture: a strip for each row, or one grid."""
    axes, seed = made[0].axes, made[0].free.seed
    rows = [row for strip in made for row in strip.faces]
    seeds = [str(strip.free.seed) if files.called is None else files.called for strip in made]
    beside = [axis_text(axes[1], value) for value in axes[1].values] if len(axes) == 2 else seeds
    image = images.labelled_grid(
        [[files.sized(face) for face in row] for row in rows],
        above=[axis_text(axes[0], value) for value in axes[0].values],
        beside=beside,
        below=[
            [", ".join(reached_text(axis, face) for axis in axes) for face in row] for row in rows
        ],
    )
    stem = f"face-{seeds[0]}" if len(made) == 1 else f"faces-{seed}-{len(made)}"
    described = {
        "vary": "; ".join(f"{one.attribute.name}={','.join(one.values)}" for one in axes),
        "reached": ";".join(
            ",".join("yes" if face.reached else "no" for face in row) for row in rows
        ),
    }
    if files.called is None:
        described["seed"] = str(seed)
        described["count"] = str(len(made))
    files.save_picture("-".join([stem, *(one.attribute.name for one in axes)]), image, described)


def axis_text(axis: Axis, value: str) -> str:
    """What is asked of a row or column of faces."""
    return f"{axis.attribute.name.replace('_', ' ')} {value}"


def reached_text(axis: Axis, face: object) -> str:
    """What one face has of an attribute that is varied."""
    values: dict[str, float] = face.attributes  # type: ignore[attr-defined]
    attribute = by_column(axis.attribute.column, {axis.attribute.name: 0})
    from ffgan.control.text import shown

    return shown(attribute, values[axis.attribute.column], 0) or "unknown"
