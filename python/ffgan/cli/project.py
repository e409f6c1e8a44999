# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan project`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ffgan import __version__
from ffgan.cli.options import MODEL_HELP, add_threads, use_threads
from ffgan.cli.output import make_folder, notice, shown_log
from ffgan.cli.parser import Command, Parser, integer, local_path, number
from ffgan.cli.progress import progress_bars
from ffgan.errors import UsageError

if TYPE_CHECKING:
    from ffgan.model import Model
    from ffgan.projection import Projection

LINE_EVERY = 10.0  # seconds, where there is no terminal
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MAX_FACES = 10_000

EXAMPLES = """\
examples:
  ffgan project me.jpg                       me-projected.png, me-projected.json
  ffgan project me.jpg --out faces/me.png    these very files
  ffgan project group.jpg --face 2           the second largest face
  ffgan project me.jpg --beside              the photograph at its left side
  ffgan project me.jpg --seconds 5           the best that 5 seconds find
  ffgan gen --latent me-projected.json --set smile=0.8 --change age=12

The .json file, and the picture itself, hold the latent. Ctrl+C keeps the best
so far. Whose face you project must have agreed to it: docs/projection.md.
Nothing leaves this machine. Needs pip install 'ffgan[faces,imagenet]'."""


def add_options(parser: Parser) -> None:
    from ffgan.projection import DEFAULT_STEPS, MAX_STEPS

    parser.add_argument("photo", metavar="PHOTO", type=local_path, help="a photograph of a face")
    parser.add_argument(
        "--out",
        metavar="DIR|FILE",
        type=local_path,
        help="write to this folder, or to this picture and the .json file of its name "
        "(default: PHOTO-projected.png here)",
    )
    parser.add_argument(
        "--face",
        metavar="K",
        type=integer(1, MAX_FACES),
        help="which face, counted from the largest (default: the largest)",
    )
    parser.add_argument(
        "--beside",
        action="store_true",
        help="write the cut-out face and what was found side by side (default: no)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=number(0.1, 86_400),
        help="stop after this time, with the best so far (default: no limit)",
    )
    parser.add_argument(
        "--steps",
        metavar="N",
        type=integer(1, MAX_STEPS),
        default=DEFAULT_STEPS,
        help="steps of the gradient (default: %(default)s)",
    )
    parser.add_argument("--model", metavar="FILE", type=local_path, help=MODEL_HELP)
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    from ffgan.interruption import Interruption
    from ffgan.model import Model
    from ffgan.projection import project

    use_threads(arguments)
    picture = place(arguments.photo, arguments.out)
    model = Model.load(arguments.model)
    make_folder(picture.parent)
    with (
        shown_log("ffgan.projection"),
        shown_log("ffgan.interruption"),
        progress_bars(line_every=LINE_EVERY) as progress,
        Interruption("stopping with the best so far") as interruption,
    ):
        found = project(
            arguments.photo,
            model=model,
            face=arguments.face,
            steps=arguments.steps,
            seconds=arguments.seconds,
            on_progress=progress,
            stop=lambda: interruption.received is not None,
        )
    latent = picture.with_suffix(".json")
    write(found, model, picture, latent, beside=arguments.beside)
    print(table(found, picture, latent), flush=True)
    if interruption.received is not None:
        notice("stopped early, with the best so far")
        return 128 + interruption.received
    return 0


def place(photo: Path, out: Path | None) -> Path:
    """Where the picture goes. Raises UsageError for a file of another kind."""
    name = f"{photo.stem}-projected.png"
    if out is None:
        return Path(name)
    if out.is_dir() or not out.suffix:
        return out / name
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out {out}: give a folder, or a file that ends in .png, .jpg or .webp")
    if photo.exists() and out.exists() and out.samefile(photo):
        raise UsageError(f"--out {out} is the photograph itself: give another file")
    return out


def write(found: Projection, model: Model, picture: Path, latent: Path, *, beside: bool) -> None:
    """Write the picture and the latent's file. Raises Error."""
    import numpy as np

    from ffgan import images
    from ffgan.projection import latent_text, save_latent

    measured = {name: value for name, value in vars(found.distances).items() if value is not None}
    metadata = {
        "software": "ffgan",
        "version": __version__,
        "model": model.hash,
        "latent": latent_text(found.latent, model.hash),
        **{name: f"{value:.4f}" for name, value in measured.items()},
    }
    image = np.concatenate([found.target, found.image], axis=1) if beside else found.image
    images.save(picture, image, metadata)
    save_latent(latent, found.latent, model, distances=measured)


def table(found: Projection, picture: Path, latent: Path) -> str:
    """What was found, in lines."""
    from ffgan.faces import SAME_PERSON

    distances = found.distances
    lines = [f"pyramid     {distances.pyramid:.4f}"]
    if distances.perceptual is not None:
        lines.append(f"perceptual  {distances.perceptual:.4f}")
    if distances.identity is not None:
        side = "below" if distances.identity < SAME_PERSON else "not below"
        lines.append(
            f"identity    {distances.identity:.4f}, {side} the {SAME_PERSON} that pass for one "
            "person"
        )
    lines.append(f"{found.steps} steps, {found.seconds:.1f} s: {picture}, {latent}")
    return "\n".join(lines)


COMMAND = Command(
    "Find the latent whose face is nearest to a photograph.",
    EXAMPLES,
    add_options,
    run,
)
