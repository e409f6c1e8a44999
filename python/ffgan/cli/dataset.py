# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan dataset`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from typing import TYPE_CHECKING

from ffgan.cli.asked import names
from ffgan.cli.options import (
    MAX_SIZE,
    MAX_THREADS,
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
from ffgan.errors import UsageError
from ffgan.latent import MAX_SEED
from ffgan.shapes import IMAGE_SIZE
from ffgan.wording import counted

if TYPE_CHECKING:
    from ffgan.synthesis import Made

LINE_EVERY = 30.0  # seconds, where there is no terminal

EXAMPLES = """\
examples:
  ffgan dataset faces --count 10000      pictures with labels, and a data card
  ffgan dataset faces --count 1000000 --format parquet --latent float16
  ffgan dataset faces --count 10000 --attributes none     pictures only, faster
  ffgan dataset faces --count 5000 --where 'age >= 20 and abs(yaw) < 15'
  ffgan dataset faces --count 6000 --balance age=20/40,gender
  ffgan dataset faces --count 6000 --balance age=20/40/60,gender --drawing auto
  ffgan dataset faces --count 5000 --like table.csv --by age,gender
  ffgan dataset people --identities 100 --images 20 --split train=0.9,test=0.1

Ctrl+C stops; the same command makes what is missing. The bytes follow from the
model and the options alone. Labels need pip install 'ffgan[faces]', --where,
Parquet and TFRecord 'ffgan[dataset]'."""


def add_options(parser: Parser) -> None:
    from ffgan.synthesis import ENGINES
    from ffgan.synthesis.settings import DRAWINGS, FORMATS, LATENTS, MAX_DRAWS, MOST, MOST_IN_SHARD

    parser.add_argument(
        "out", metavar="OUT", help="folder for the set, or a URL such as s3://bucket/faces"
    )
    parser.add_argument(
        "--count",
        metavar="N",
        type=integer(1, MOST),
        help="how many pictures (required, but with --identities)",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--format",
        choices=FORMATS,
        default="folder",
        help="folder: pictures with metadata.jsonl, as Hugging Face's ImageFolder; parquet: with "
        "the pictures inside; webdataset: tar files; tfrecord: for TensorFlow; npy: pixels to be "
        "mapped into memory (default: %(default)s)",
    )
    files.add_argument(
        "--encoding",
        choices=("jpg", "png", "webp"),
        default="jpg",
        help="of the pictures (default: %(default)s)",
    )
    add_quality(files)
    files.add_argument(
        "--size",
        metavar="PIXELS",
        type=integer(1, MAX_SIZE),
        default=IMAGE_SIZE,
        help="side of a picture (default: as generated, %(default)s)",
    )
    files.add_argument(
        "--shard-size",
        metavar="N",
        type=integer(1, MOST_IN_SHARD),
        help="pictures in a file or folder (default: 5000; npy: 1000)",
    )
    files.add_argument(
        "--split",
        metavar="NAME=SHARE,...",
        default="train=1",
        help="parts of the set, as train=0.9,test=0.1; no person is in two (default: %(default)s)",
    )
    labels = parser.add_argument_group("labels")
    labels.add_argument(
        "--attributes",
        metavar="all|none|A,B",
        default="all",
        help="attributes that are measured (default: %(default)s)",
    )
    labels.add_argument(
        "--latent",
        choices=LATENTS,
        default="none",
        help="also what the generator was given (default: %(default)s)",
    )
    search = parser.add_argument_group("faces")
    search.add_argument(
        "--seed",
        type=integer(0, MAX_SEED),
        default=0,
        help="seed of the first face (default: %(default)s)",
    )
    add_search(search)
    add_threads(search)
    search.add_argument(
        "--truncation",
        metavar="FACTOR",
        type=number(0, 2),
        default=1.0,
        help="below 1: closer to the average face (default: %(default)s)",
    )
    composed = parser.add_argument_group("which faces")
    composed.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="what all faces are steered to, as in `gen` (default: nothing)",
    )
    composed.add_argument(
        "--where",
        metavar="CONDITION",
        help="take only faces that meet it: attributes, numbers, words in quotes, comparisons, "
        "and, or, not, in, + - * /, abs, min, max (default: all)",
    )
    composed.add_argument(
        "--balance",
        metavar="A,B",
        type=names,
        default=[],
        help="as many faces of each combination of these attributes; age=20/40/60 gives the bounds "
        "between its bins (default: as they are drawn)",
    )
    composed.add_argument(
        "--like",
        metavar="FILE.csv",
        type=local_path,
        help="shares as in this table of `ffgan attributes` (default: as they are drawn)",
    )
    composed.add_argument(
        "--by",
        metavar="A,B",
        type=names,
        default=[],
        help="the attributes that --like is about (default: all columns of the table)",
    )
    composed.add_argument(
        "--drawing",
        choices=DRAWINGS,
        default="free",
        help="how --balance and --like find faces: free: drawn until there are enough; steered: "
        "moved there; auto: moved where they are rare (default: %(default)s)",
    )
    composed.add_argument(
        "--max-draws",
        metavar="N",
        type=integer(1, 10**9),
        default=MAX_DRAWS,
        help="give up after so many draws in a row of which none was taken (default: %(default)s)",
    )
    people = parser.add_argument_group("people")
    people.add_argument(
        "--identities",
        metavar="N",
        type=integer(1, MOST),
        help="invent so many people (default: each face is one of its own)",
    )
    people.add_argument(
        "--images",
        metavar="M",
        type=integer(1, 10_000),
        help="pictures of each person (default: 1)",
    )
    people.add_argument(
        "--min-distance",
        metavar="D",
        type=number(0, 2),
        help="how far the embeddings of two people are apart, at least (default: 0.6 between "
        "people of --identities, else not looked at)",
    )
    machines = parser.add_argument_group("machines")
    machines.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="who makes the parts: this process, or a Ray cluster (default: %(default)s)",
    )
    machines.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="a running Ray cluster (default: RAY_ADDRESS, else one of this machine's cores)",
    )
    machines.add_argument(
        "--workers",
        metavar="N",
        type=integer(1, 1_000_000),
        help="parts that a cluster makes at a time (default: as many as it has cores for)",
    )
    machines.add_argument(
        "--cores",
        metavar="N",
        type=integer(1, MAX_THREADS),
        help="cores, and threads, of each of these (default: 1)",
    )


def _command(out: str, given: list[str]) -> str:
    """The command for the data card, which does not tell where on whose machine the set is."""
    return f"ffgan {shlex.join('OUT' if word == out else word for word in given)}"


def run(arguments: argparse.Namespace) -> int:
    from ffgan import synthesis
    from ffgan.control import Constraints
    from ffgan.synthesis.settings import read_split

    use_threads(arguments)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # they would stand within ours
    listed = arguments.attributes
    began = time.monotonic()
    with (
        shown_log("ffgan.synthesis"),
        progress_bars(line_every=LINE_EVERY) as progress,
    ):
        try:
            made = synthesis.make(
                arguments.out,
                arguments.count,
                model=chosen_model(arguments),
                seed=arguments.seed,
                tries=arguments.tries,
                threshold=arguments.threshold,
                truncation=arguments.truncation,
                format=arguments.format,
                encoding=arguments.encoding,
                quality=arguments.quality,
                size=arguments.size,
                attributes=listed if listed in ("all", "none") else _listed(listed),
                latent=arguments.latent,
                shard_size=arguments.shard_size,
                where=arguments.where,
                balance=arguments.balance,
                like=arguments.like,
                by=arguments.by,
                drawing=arguments.drawing,
                max_draws=arguments.max_draws,
                identities=arguments.identities,
                images=arguments.images,
                min_distance=arguments.min_distance,
                split=read_split(arguments.split),
                engine=arguments.engine,
                address=arguments.address,
                workers=arguments.workers,
                cores=arguments.cores,
                command=_command(arguments.out, sys.argv[1:]),
                progress=progress,
                **Constraints.parse(arguments.set).text(),
            )
        except KeyboardInterrupt as stop:
            how, status = explain_stop(stop)
            notice(f"{how}; the same command makes what is missing")
            return status
    print(told(made, time.monotonic() - began))
    return 0


def _listed(text: str) -> list[str]:
    found = names(text)
    if not found:
        raise UsageError("--attributes: give all, none, or attributes such as age,smile")
    return found


def told(made: Made, seconds: float) -> str:
    """What was made, in a line, and what was not taken."""
    parts = [f"{counted(made.pictures, 'picture')} in {counted(made.shards, 'shard')}"]
    if made.made < made.pictures:
        parts.append(f"{made.made:,} of them made now")
    parts.append(f"{made.size / 1e6:,.1f} MB")
    rejected = sum(made.rejected.values())
    if rejected:
        parts.append(f"{rejected:,} of {counted(made.draws, 'draw')} not taken")
    return f"{', '.join(parts)}, {seconds:.1f} s: {made.folder}"


COMMAND = Command(
    "Make a data set of labelled faces, with a data card and sums of its files.",
    EXAMPLES,
    add_options,
    run,
)
