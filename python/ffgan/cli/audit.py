# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan audit`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ffgan import html_report, storage
from ffgan.cli.options import (
    add_colour,
    add_fit,
    add_recognition,
    add_samples,
    add_threads,
    chosen_model,
    use_threads,
)
from ffgan.cli.parser import Command, Parser, local_path
from ffgan.cli.together import together
from ffgan.errors import Error, UsageError
from ffgan.locations import place
from ffgan.model import Model

COPIES = 3  # the exit status of an audit that finds signs of copying

EXAMPLES = """\
examples:
  ffgan audit --train photos --heldout others     is anything of photos copied?
  ffgan audit --train photos --heldout others --report audit.html
  ffgan audit --train photos                      without held-out images
  ffgan audit --train photos --model FILE --json > audit.json

Exit status: 0 no sign of copying, 3 signs of copying. Needs
pip install 'ffgan[evaluate]'."""


def add_options(parser: Parser) -> None:
    from ffgan import audit, evaluation

    images = parser.add_argument_group("real images")
    images.add_argument(
        "--train",
        metavar="DIR",
        type=place,
        required=True,
        help="folder or archive of the images that the model was trained on (required)",
    )
    images.add_argument(
        "--heldout",
        metavar="DIR",
        type=place,
        help="folder or archive of images of the same kind that it was not trained on "
        "(default: none; training images are compared with each other instead)",
    )
    images.add_argument(
        "--mirrored",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the mirror images too (default: yes)",
    )
    add_fit(images)
    add_colour(images)
    add_samples(parser, audit.DEFAULT_SAMPLES, evaluation.MIN_IMAGES, audit.MAX_SAMPLES)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--report",
        metavar="FILE",
        type=local_path,
        help="write a page with the distances and the closest pairs (default: no page)",
    )
    output.add_argument("--json", action="store_true", help="as JSON (default: as a table)")
    add_recognition(output)
    add_threads(output)


def run(arguments: argparse.Namespace) -> int:
    from ffgan import audit

    use_threads(arguments)
    report: Path | None = arguments.report

    def model() -> Model:
        if report is not None:
            # Now, not after minutes of measuring.
            if report.is_dir():
                file = report / "audit.html"
                raise UsageError(f"--report {report} is a folder: give a file, {file}")
            if not report.absolute().parent.is_dir():
                raise UsageError(f"--report {report}: make the folder {report.parent} first")
        return chosen_model(arguments)

    with together() as (ranks, progress):
        result = audit.audit(
            ranks.each(model),
            arguments.train,
            arguments.heldout,
            samples=arguments.samples,
            seed=arguments.seed,
            candidates=arguments.candidates,
            tries=arguments.tries,
            threshold=arguments.threshold,
            mirrored=arguments.mirrored,
            fit=arguments.fit,
            colour=arguments.colour,
            recognition=arguments.recognition,
            ranks=ranks,
            progress=progress,
        )
    if not ranks.is_first:
        return 0
    figures = result.figures
    # Before the report, which may not be writable.
    print(json.dumps(figures, indent=2) if arguments.json else audit.table(figures))
    if report is not None:
        from ffgan.audit import page

        try:
            storage.write_atomically(report, html_report.encode(page.render(result)))
        except OSError as error:
            raise Error(
                f"cannot write --report {report}: {storage.reason(error)}; "
                + storage.way_out(error, "give another file")
            ) from error
    return COPIES if figures["verdict"]["copies"] else 0


COMMAND = Command(
    "Find out whether a model copies: its faces beside the images it was trained on.",
    EXAMPLES,
    add_options,
    run,
    prints=True,
    together=True,
)
