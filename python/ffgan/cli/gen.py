# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen`."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ffgan import images
from ffgan.cli import gen_people, gen_strips
from ffgan.cli.asked import Report, add_asked, asked_text, constraints, start_of
from ffgan.cli.face_files import FaceFiles, origin
from ffgan.cli.options import (
    MAX_COUNT,
    MAX_SIZE,
    add_quality,
    add_search,
    add_threads,
    chosen_model,
    use_threads,
)
from ffgan.cli.output import notice, shown_log
from ffgan.cli.parser import Command, Parser, integer, local_path, number
from ffgan.cli.progress import progress_bars
from ffgan.cli.termination import explain_stop
from ffgan.errors import DisplayError, UsageError
from ffgan.latent import MAX_SEED, random_seed
from ffgan.model import Face, Model
from ffgan.wording import counted

if TYPE_CHECKING:
    from ffgan.control import Constraints
    from ffgan.viewer import Window

DEFAULT_DELAY = 0.5
DEFAULT_SCALE = 3

EXAMPLES = """\
examples:
  ffgan gen 10                         show ten faces, half a second each
  ffgan gen 10 --delay 0               show ten faces, a key press each
  ffgan gen 10 --out new --format jpg  show and write new/face-<seed>.jpg
  ffgan gen 1 --seed 7 --out me.webp   one face to this very file
  ffgan gen 64 --grid --no-window      one sheet, generated/faces-<seed>-64.png
  ffgan gen 10 --truncation 0.7        faces closer to the average face
  ffgan gen 10 --set age=60 --set gender=male --set yaw=-20..20
                                       faces with what is asked for
  ffgan gen 1 --seed 7 --change age=10 the face of seed 7, ten years older
  ffgan gen 5 --vary age               five faces, each from young to old
  ffgan gen 1 --vary age=20..60 --vary smile --steps 5
                                       one face, age by smile
  ffgan gen --identities 100 --images 20 --out people
                                       a hundred people, each in twenty pictures

In the window: space or n the next face, s save this one, q or Escape (or
closing the window) stop. Face i has seed SEED+i, and one seed of one model is
always the same face; so a file of the same name is replaced. Where no window
can be opened, the files go to ./generated.

Attributes: age, gender, yaw, pitch, roll, smile, mouth_open, eye_open,
brow_height, face_width, skin_tone, tone, hair_lightness, hair, brightness,
light, background, glasses, sharpness. A value that a model cannot do is
refused, with those that it can."""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "count", metavar="N", nargs="?", type=integer(1, MAX_COUNT), help="how many faces"
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--out",
        metavar="DIR|FILE",
        type=local_path,
        help="write to this folder, or a single picture to this file "
        "(default: no files beside a window, else ./generated)",
    )
    files.add_argument(
        "--format",
        choices=("png", "jpg", "webp"),
        help="file format (default: that of --out FILE, else png)",
    )
    add_quality(files)
    files.add_argument(
        "--size",
        metavar="PIXELS",
        type=integer(1, MAX_SIZE),
        help="side of a written face (default: as generated, 162)",
    )
    files.add_argument(
        "--grid",
        action="store_true",
        help="write one sheet of all faces, faces-SEED-N, instead of single files (default: no)",
    )
    search = parser.add_argument_group("faces")
    search.add_argument(
        "--seed",
        type=integer(0, MAX_SEED),
        help="seed of the first face (default: a random one, which is told)",
    )
    add_search(search)
    add_threads(search)
    search.add_argument(
        "--truncation",
        metavar="FACTOR",
        type=number(0, 2),
        default=1.0,
        help="truncation; below 1: closer to the average face, above 1: more varied "
        "(default: %(default)s)",
    )
    search.add_argument(
        "--latent",
        metavar="FILE",
        type=local_path,
        help="the face of the latent in a file of `ffgan project`, or in a picture "
        "(default: faces of seeds)",
    )
    asked = parser.add_argument_group("what the faces look like")
    add_asked(asked)
    gen_strips.add_vary(parser.add_argument_group("one or two attributes from end to end"))
    gen_people.add_people(parser.add_argument_group("people"))
    window = parser.add_argument_group("window")
    window.add_argument(
        "--no-window", action="store_true", help="write files only (default: a window if possible)"
    )
    window.add_argument(
        "--delay",
        metavar="SECONDS",
        type=number(0, 3600),
        default=DEFAULT_DELAY,
        help="how long a face is shown; 0: until a key is pressed (default: %(default)s)",
    )
    window.add_argument(
        "--scale",
        metavar="FACTOR",
        type=integer(1, 16),
        default=DEFAULT_SCALE,
        help="enlargement on the screen (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    check_combinations(arguments)
    use_threads(arguments)
    images.import_opencv_meanwhile()
    if arguments.identities is not None:
        return gen_people.run(arguments)
    if arguments.vary:
        return gen_strips.run(arguments)
    wanted = constraints(arguments)
    files = FaceFiles(
        arguments.out,
        count=arguments.count,
        sheet=arguments.grid,
        format=arguments.format,
        quality=arguments.quality,
        size=arguments.size,
    )
    first = random_seed() if arguments.seed is None else arguments.seed
    model = chosen_model(arguments)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    files.origin = origin(model, arguments.truncation, threshold)
    report = None
    if wanted is not None:
        report = Report(wanted)
        files.origin.update(asked_text(wanted, arguments.hold))
    faces = drawn(model, arguments, wanted, first, threshold)
    if arguments.latent is not None:
        files.called = arguments.latent.stem

    window = None if arguments.no_window else open_window(arguments.scale, files)
    to_files = window is None or arguments.out is not None or arguments.grid
    if to_files:
        files.prepare()
    began = time.monotonic()
    made: list[Face] = []
    count = tries = 0
    stopped: KeyboardInterrupt | None = None
    with window or contextlib.nullcontext(), shown_log("ffgan.viewer"), progress_bars() as progress:
        try:
            for face in faces:
                count += 1
                tries += face.tries
                if report is not None:
                    report.add(face, files.name(face))
                if arguments.grid:
                    made.append(face)
                elif to_files:
                    files.save_face(face)
                progress("faces", count, arguments.count)
                if window is None or (window.lost and to_files):
                    continue
                if not (show(window, face, files, arguments.delay) or (window.lost and to_files)):
                    break
        except KeyboardInterrupt as error:
            stopped = error
            if to_files and not arguments.grid:
                count = len(files.written)  # the last face may not have come so far
    if made:
        files.save_sheet(made)

    for line in report.lines() if report is not None else ():
        print(line)
    start = f"seed {first}" if arguments.latent is None else str(arguments.latent)
    print(summary(files, count, tries, time.monotonic() - began, start), flush=True)
    if stopped is not None:
        how, status = explain_stop(stopped)
        notice(f"{how}, {counted(len(files.written), 'file')} written")
        return status
    return 1 if window is not None and window.lost and not to_files else 0


def check_combinations(arguments: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together; a latent is one face."""
    if arguments.identities is not None:
        for name in ("count", "latent", "vary", "grid", "hold"):
            if getattr(arguments, name):
                raise UsageError(
                    f"{'N' if name == 'count' else '--' + name} does not go with --identities"
                )
        return
    for name in ("images", "min_distance"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for --identities")
    if arguments.latent is not None:
        if arguments.count not in (None, 1):
            raise UsageError(f"--latent is one face, but {arguments.count} are asked for")
        if arguments.seed is not None:
            raise UsageError("--seed does not go with --latent: a latent has no seed")
        arguments.count = 1
    if arguments.count is None:
        raise UsageError(
            "the following arguments are required: N, how many faces (see ffgan gen --help)"
        )
    if not arguments.vary and arguments.steps is not None:
        raise UsageError("--steps is for --vary")
    if arguments.vary and arguments.grid:
        raise UsageError("--grid does not go with --vary, which writes one picture itself")


def drawn(
    model: Model,
    arguments: argparse.Namespace,
    wanted: Constraints | None,
    first: int,
    threshold: float,
) -> Iterator[Any]:
    """The faces, one by one; those of ``wanted`` are `ffgan.control.ControlledFace`."""
    if arguments.latent is not None:
        face = start_of(arguments.latent, model)
        if wanted is None:
            return iter([face])
        from ffgan import control

        return control.moved(model, [(face, wanted)], threshold=threshold, hold=arguments.hold)
    how = {
        "tries": arguments.tries,
        "threshold": threshold,
        "truncation": arguments.truncation,
    }
    if wanted is None:
        return model.faces(arguments.count, first, **how)
    from ffgan import control

    few = arguments.count <= Report.MOST_LINES
    return control.faces(
        model, arguments.count, first, wanted, hold=arguments.hold, measure_distance=few, **how
    )


def open_window(scale: int, files: FaceFiles) -> Window | None:
    """A window, or None after saying in one line why there is none."""
    from ffgan.viewer import Window

    try:
        return Window("ffgan", scale=scale)
    except DisplayError as error:
        notice(f"no window: {error}; writing to {files.place}")
        return None


def show(window: Window, face: Face, files: FaceFiles, delay: float) -> bool:
    """Show one face until its time is over; False when the user has seen enough."""
    tries = counted(face.tries, "try", "tries")
    window.show(face.image, f"seed {face.seed}, score {face.score:.2f}, {tries}")
    end = None if delay == 0 else time.monotonic() + delay
    while True:
        action = window.wait(None if end is None else max(0.0, end - time.monotonic()))
        if action == "save":
            notice(f"saved {files.save_face(face)}")
        else:
            return action in ("next", "timeout")


def summary(files: FaceFiles, count: int, tries: int, seconds: float, start: str) -> str:
    draws = counted(tries, "try", "tries")
    text = f"{counted(count, 'face')}, {draws}, {seconds:.1f} s, from {start}"
    if not files.written:
        return f"{text}; no files (--out DIR writes them)"
    *_, last = files.written
    if len(files.written) == 1:
        return f"{text}: {last}"
    return f"{text}: {len(files.written)} files in {last.parent}"


COMMAND = Command(
    "Draw faces, show them in a window, write them to files.",
    EXAMPLES,
    add_options,
    run,
)
