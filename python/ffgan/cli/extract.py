# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan extract`."""

from __future__ import annotations

import argparse

from ffgan import _core
from ffgan.cli.output import shown_log
from ffgan.cli.parser import Command, Parser, local_path
from ffgan.cli.progress import progress_bars
from ffgan.locations import place

LINE_EVERY = 30.0  # seconds, where there is no terminal

EXAMPLES = """\
examples:
  ffgan extract photos faces                      200 pixels, as dlib cuts them
  ffgan extract photos faces --framing training   162 pixels, as `train` needs
  ffgan extract photos faces --upsample 1         also faces of 40 pixels
  ffgan extract photos faces --per-identity 20    at most 20 of one person
  ffgan extract photos faces --min-sharpness 1.5  selects anew, detects nothing
  ffgan extract photos faces --dry-run            counts, and writes nothing

Ctrl+C stops after the current photographs; the same command resumes, and
processes only new and changed ones. Photographs are never written to, and
nothing leaves this machine; `rm -r faces` deletes all that was made. Needs
pip install 'ffgan[faces]'."""


def add_options(parser: Parser) -> None:
    from ffgan.cli.settings_options import add_settings
    from ffgan.extraction import Settings

    parser.add_argument("photos", metavar="PHOTOS", type=place, help="where photographs are")
    parser.add_argument("out", metavar="OUT", type=local_path, help="folder for the faces")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="process everything, write nothing (default: no)",
    )
    add_settings(parser, Settings)


def run(arguments: argparse.Namespace) -> int:
    from ffgan import extraction
    from ffgan.cli.settings_options import given_settings

    given = given_settings(arguments, extraction.Settings)
    if given.get("threads") is not None:
        _core.set_threads(given["threads"])
    with shown_log("ffgan"), progress_bars(line_every=LINE_EVERY) as progress:
        result = extraction.extract(
            arguments.photos,
            arguments.out,
            dry_run=arguments.dry_run,
            progress=progress,
            **given,
        )
    print(extraction.table(result, arguments.out, dry_run=arguments.dry_run))
    return 0


COMMAND = Command(
    "Find the faces in photographs, cut them out upright, leave out bad ones.",
    EXAMPLES,
    add_options,
    run,
)
