# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan pack`."""

from __future__ import annotations

import argparse

from ffgan.cli.options import MAX_THREADS, add_colour, add_fit
from ffgan.cli.output import notice, shown_log
from ffgan.cli.parser import Command, Parser, integer, local_path
from ffgan.cli.progress import progress_bars
from ffgan.locations import place

EXAMPLES = """\
examples:
  ffgan pack faces faces.pack
  ffgan train faces.pack"""


def add_options(parser: Parser) -> None:
    parser.add_argument("directory", metavar="DIR", type=place, help="where pictures are")
    parser.add_argument("file", metavar="FILE", type=local_path, help="the file to write")
    add_fit(parser)
    add_colour(parser, "convert")
    parser.add_argument(
        "--include-generated",
        action="store_true",
        help="take pictures of faces that ffgan generated, too (default: no)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=integer(1, MAX_THREADS),
        default=2,
        help="threads that read images (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    from ffgan import dataset

    with shown_log("ffgan"), progress_bars() as progress:
        packed = dataset.pack(
            arguments.directory,
            arguments.file,
            fit=arguments.fit,
            colour=arguments.colour,
            workers=arguments.workers,
            include_generated=arguments.include_generated,
            progress=lambda done, total: progress("packing", done, total),
        )
    for name, reason in packed.broken:
        notice(f"{dataset.printable(name)}: {reason}")
    print(packed.summary)
    print(f"packed: {arguments.file}")
    return 0


COMMAND = Command(
    "Decode a folder of pictures once, into one file that `train` reads fastest.",
    EXAMPLES,
    add_options,
    run,
)
