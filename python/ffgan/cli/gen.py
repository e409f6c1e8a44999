# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen`."""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ffgan import __version__
from ffgan.cli.face_files import FaceFiles
from ffgan.cli.options import MAX_COUNT, MAX_SIZE, add_search, add_threads, use_threads
from ffgan.cli.output import notice, shown_log
from ffgan.cli.parser import Command, Parser, integer, number
from ffgan.cli.progress import progress_bars
from ffgan.cli.termination import explain_stop
from ffgan.errors import DisplayError
from ffgan.images import DEFAULT_QUALITY
from ffgan.latent import MAX_SEED, random_seed
from ffgan.model import Face, Model
from ffgan.wording import counted

if TYPE_CHECKING:
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

In the window: space or n the next face, s save this one, q or Escape (or
closing the window) stop. Face i has seed SEED+i, and one seed of one model is
always the same face; so a file of the same name is replaced. Where no window
can be opened, the files go to ./generated."""


def add_options(parser: Parser) -> None:
    parser.add_argument("count", metavar="N", type=integer(1, MAX_COUNT), help="how many faces")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--out",
        metavar="DIR|FILE",
        type=Path,
        help="write to this folder, or a single picture to this file "
        "(default: no files beside a window, else ./generated)",
    )
    files.add_argument(
        "--format",
        choices=("png", "jpg", "webp"),
        help="file format (default: that of --out FILE, else png)",
    )
    files.add_argument(
        "--quality",
        metavar="1..100",
        type=integer(1, 100),
        default=DEFAULT_QUALITY,
        help="of jpg and webp (default: %(default)s)",
    )
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
    use_threads(arguments)
    files = FaceFiles(
        arguments.out,
        count=arguments.count,
        sheet=arguments.grid,
        format=arguments.format,
        quality=arguments.quality,
        size=arguments.size,
    )
    first = random_seed() if arguments.seed is None else arguments.seed
    model = Model.load(arguments.model)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    files.origin = {
        "software": "ffgan",
        "version": __version__,
        "model": model.hash,
        "truncation": f"{arguments.truncation:g}",
        "threshold": f"{threshold:g}",
    }

    window = None if arguments.no_window else open_window(arguments.scale, files)
    to_files = window is None or arguments.out is not None or arguments.grid
    if to_files:
        files.prepare()
    faces = model.faces(
        arguments.count,
        first,
        tries=arguments.tries,
        threshold=threshold,
        truncation=arguments.truncation,
    )
    began = time.monotonic()
    made: list[Face] = []
    count = tries = 0
    stopped: KeyboardInterrupt | None = None
    with window or contextlib.nullcontext(), shown_log("ffgan.viewer"), progress_bars() as progress:
        try:
            for face in faces:
                count += 1
                tries += face.tries
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

    print(summary(files, count, tries, time.monotonic() - began, first), flush=True)
    if stopped is not None:
        how, status = explain_stop(stopped)
        notice(f"{how}, {counted(len(files.written), 'file')} written")
        return status
    return 1 if window is not None and window.lost and not to_files else 0


def open_window(scale: int, files: FaceFiles) -> Window | None:
    """A window, or None after saying in one line why there is none."""
    from ffgan.viewer import Window

    try:
        return Window("ffgan", scale=scale)
    except DisplayError as error:
        notice(f"no window: {error}; writing to {files.place} instead")
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


def summary(files: FaceFiles, count: int, tries: int, seconds: float, first: int) -> str:
    draws = counted(tries, "try", "tries")
    text = f"{counted(count, 'face')}, {draws}, {seconds:.1f} s, from seed {first}"
    if not files.written:
        return f"{text}; no files (--out DIR writes them)"
    *_, last = files.written
    if len(files.written) == 1:
        return f"{text}: {last}"
    return f"{text}: {len(files.written)} files in {last.parent}"


COMMAND = Command(
    "draw faces",
    "Draw faces, show them in a window, write them to files.",
    EXAMPLES,
    add_options,
    run,
)
