# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan train`."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from ffgan.cli.output import notice, shown_log
from ffgan.cli.parser import Command, Parser
from ffgan.cli.progress import TrainingBar
from ffgan.locations import place

EXAMPLES = """\
examples:
  ffgan train photos               resume runs/photos, else fine-tune the model
  ffgan train photos --dry-run     the settings and the estimated time, no more
  ffgan train photos --init scratch --name a --minutes 120
  ffgan train photos --augment all --flip --ema 0.9995
  ffgan train photos --steps 10000 --batch 32 --learning-rate-d 1e-4
  ffgan train photos --recipe mine.toml --set chroma_weight=5

Ctrl+C finishes the step and writes a checkpoint; the same command resumes from
there."""


def add_options(parser: Parser) -> None:
    """Give `parser` an option for every field of `ffgan.training.Settings`."""
    from ffgan.cli.settings_options import add_settings
    from ffgan.training import Settings, recipes

    parser.add_argument(
        "directory",
        metavar="DIR",
        type=place,
        help="folder or archive of pictures, or a file made by `pack`",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved settings and the estimated time, and stop (default: no)",
    )
    about = Settings.about()
    defaults = {
        name: f"by the recipe; of original: {about[name].shown_default}"
        for name in recipes.changed()
    }
    add_settings(parser, Settings, defaults=defaults)


def run(arguments: argparse.Namespace) -> int:
    from ffgan import training
    from ffgan.cli.settings_options import given_settings
    from ffgan.ranks import launched

    given = given_settings(arguments, training.Settings)
    number, _ = launched()
    if number > 0:
        return _follow(arguments, given)
    with TrainingBar() as bar, shown_log("ffgan", bar.say):
        if arguments.dry_run:
            answer = training.dry_run(arguments.directory, progress=bar.show, **given)
        else:
            try:
                model = training.train(arguments.directory, progress=bar.show, **given)
            except training.Interrupted as interrupted:
                notice(str(interrupted))
                return interrupted.exit_code
            answer = f"model: {model}"
    print(answer)
    return 0


def _follow(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """Train as one of several processes, of which another one speaks."""
    from ffgan import training

    work = training.dry_run if arguments.dry_run else training.train
    with shown_log("ffgan", level=logging.ERROR):
        work(arguments.directory, **given)
    return 0


COMMAND = Command(
    "Train, or resume training, on all pictures in a folder and its subfolders.",
    EXAMPLES,
    add_options,
    run,
    together=True,
)
