# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan gen --identities`: invented people, each in many pictures, in a folder for each."""

from __future__ import annotations

import argparse
import time

from ffgan.cli.asked import constraints
from ffgan.cli.face_files import DEFAULT_FOLDER, SUFFIXES, origin
from ffgan.cli.options import chosen_model
from ffgan.cli.output import notice
from ffgan.cli.parser import integer, number
from ffgan.cli.people_files import PeopleFiles
from ffgan.cli.progress import progress_bars
from ffgan.cli.termination import explain_stop
from ffgan.errors import UsageError
from ffgan.latent import random_seed
from ffgan.wording import counted

DEFAULT_IMAGES = 20
MOST = 100_000
MOST_IMAGES = 9999
SAME_PERSON = 0.6


def add_people(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the options of identities."""
    parser.add_argument(
        "--identities",
        metavar="N",
        type=integer(1, MOST),
        help="invent so many people, person-0001/0001.png and so on with a manifest.jsonl in "
        "--out; what is there already is not made again (default: single faces)",
    )
    parser.add_argument(
        "--images",
        metavar="M",
        type=integer(1, MOST_IMAGES),
        help=f"pictures of each person (default: {DEFAULT_IMAGES})",
    )
    parser.add_argument(
        "--min-distance",
        metavar="D",
        type=number(0, 2),
        help="how far the embeddings of two people's first pictures are apart, at least "
        f"(default: {SAME_PERSON})",
    )


def run(arguments: argparse.Namespace) -> int:
    wanted = constraints(arguments)
    people, images = arguments.identities, arguments.images or DEFAULT_IMAGES
    out = arguments.out or DEFAULT_FOLDER / "people"
    if out.suffix.lower() in SUFFIXES and not out.is_dir():
        raise UsageError(f"--out {out}: people are written to a folder")
    model = chosen_model(arguments)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    least = SAME_PERSON if arguments.min_distance is None else arguments.min_distance
    began = time.monotonic()
    made = rejected = beyond = 0
    stopped: KeyboardInterrupt | None = None
    settings = {
        "images": images,
        "min_distance": least,
        "set": list(arguments.set),
        "change": list(arguments.change),
        "tries": arguments.tries,
        "format": arguments.format or "png",
        "quality": arguments.quality,
        "size": arguments.size,
    }
    common = origin(model, arguments.truncation, threshold)
    with PeopleFiles(out, settings, common, arguments.seed, random_seed) as files:
        from ffgan import control

        drawn = control.Identities(
            model,
            files.seed,
            wanted,
            min_distance=least,
            tries=arguments.tries,
            threshold=threshold,
            truncation=arguments.truncation,
        )
        there = files.people[:people]
        with progress_bars() as progress:
            try:
                for seed, latent in files.restored(model, there):
                    drawn.remember(seed, latent)
                new = []
                for number_of in range(len(files.people), people):
                    progress("people", number_of, people)
                    new.append(drawn.person())
                    rejected += new[-1].rejected
                for person in new:
                    for picture in drawn.pictures(person, images):
                        files.add(picture)
                        made += 1
                        beyond += not picture.kept
                        progress("pictures", made, len(new) * images)
            except KeyboardInterrupt as error:
                stopped = error
        text = (
            f"{counted(len(files.people), 'person', 'people')}, "
            f"{counted(made + files.made_again, 'picture')} made, "
            f"{time.monotonic() - began:.1f} s, "
            f"from seed {files.seed}"
        )
        if rejected:
            text += f"; {counted(rejected, 'seed')} too near to earlier people"
        if beyond:
            text += f"; {counted(beyond, 'picture')} could not keep the distances"
        print(f"{text}: {out}", flush=True)
    if stopped is not None:
        how, status = explain_stop(stopped)
        notice(f"{how}, {counted(made, 'picture')} written; the same command goes on")
        return status
    return 0
