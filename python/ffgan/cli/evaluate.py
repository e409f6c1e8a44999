# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan evaluate`."""

from __future__ import annotations

import argparse
import json

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
from ffgan.locations import place

EXAMPLES = """\
examples:
  ffgan evaluate --real photos                     the packaged model
  ffgan evaluate --real photos --model FILE --json > figures.json
  ffgan evaluate --real photos --samples 500       faster, less precise
  ffgan evaluate --real photos --candidates        the faces that `gen` draws
  ffgan evaluate --real photos --cache real.cache  measure photos only once

Compare only figures of equal numbers of images. Needs
pip install 'ffgan[evaluate]'."""


def add_options(parser: Parser) -> None:
    from ffgan import evaluation

    images = parser.add_argument_group("real images")
    images.add_argument(
        "--real",
        metavar="DIR",
        type=place,
        required=True,
        help="folder or archive of images to compare with, or a file made by `pack` (required)",
    )
    add_fit(images)
    add_colour(images)
    images.add_argument(
        "--cache",
        metavar="FILE",
        type=local_path,
        help="keep the networks' outputs of the real images in this file (default: no cache)",
    )
    add_samples(parser, evaluation.DEFAULT_SAMPLES, evaluation.MIN_IMAGES, evaluation.MAX_SAMPLES)
    measures = parser.add_argument_group("measures")
    measures.add_argument(
        "--features",
        metavar="NETWORK",
        default=evaluation.DEFAULT_FEATURES,
        help="the network whose features are compared: imagenet is EfficientNet-Lite0, faces is "
        "dlib's face recognition network, FILE.onnx or FILE.onnx:TENSOR one of your own "
        "(default: %(default)s)",
    )
    add_recognition(measures)
    add_threads(measures)
    measures.add_argument("--json", action="store_true", help="as JSON (default: as a table)")


def run(arguments: argparse.Namespace) -> int:
    from ffgan import evaluation

    use_threads(arguments)
    with together() as (ranks, progress):
        result = evaluation.evaluate(
            ranks.each(lambda: chosen_model(arguments)),
            arguments.real,
            samples=arguments.samples,
            seed=arguments.seed,
            candidates=arguments.candidates,
            tries=arguments.tries,
            threshold=arguments.threshold,
            feature_network=arguments.features,
            recognition=arguments.recognition,
            fit=arguments.fit,
            colour=arguments.colour,
            cache=arguments.cache,
            ranks=ranks,
            progress=progress,
        )
    if ranks.is_first:
        print(json.dumps(result, indent=2) if arguments.json else evaluation.table(result))
    return 0


COMMAND = Command(
    "Measure how good a model is: its faces beside real images, in numbers.",
    EXAMPLES,
    add_options,
    run,
    prints=True,
    together=True,
)
