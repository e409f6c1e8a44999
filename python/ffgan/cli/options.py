# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands share."""

from __future__ import annotations

import argparse

from ffgan import _core, images
from ffgan.cli.parser import Parser, integer, local_path, number
from ffgan.latent import MAX_SEED
from ffgan.model import BF16, DEFAULT_PRECISION, DEFAULT_TRIES, MAX_TRIES, PRECISIONS, Model

MAX_SIZE = 4096
MAX_COUNT = 1_000_000_000
MAX_THREADS = 1024

MODEL_HELP = (
    "model file; table: the packaged model with the discriminator table (default: the packaged "
    "model)"
)


def add_search(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the model, its precision and the options of the candidate search."""
    parser.add_argument("--model", metavar="FILE", type=local_path, help=MODEL_HELP)
    parser.add_argument(
        "--tries",
        metavar="N",
        type=integer(1, MAX_TRIES),
        default=DEFAULT_TRIES,
        help="draws per face until the discriminator accepts one, else the best is kept "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        metavar="SCORE",
        type=number(-1000, 1000),
        help="the score above which a face is accepted (default: the model's own)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=DEFAULT_PRECISION,
        help=f"of the generator's products; {BF16} (default: %(default)s)",
    )


def chosen_model(arguments: argparse.Namespace) -> Model:
    """The model that the options of `add_search` name. Raises as `Model.load`."""
    return Model.load(arguments.model, precision=arguments.precision)


def add_quality(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the quality of written pictures."""
    parser.add_argument(
        "--quality",
        metavar="1..100",
        type=integer(1, 100),
        default=images.DEFAULT_QUALITY,
        help="of jpg and webp (default: %(default)s)",
    )


def add_threads(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the number of threads; `use_threads` obeys it."""
    parser.add_argument(
        "--threads",
        metavar="N",
        type=integer(1, MAX_THREADS),
        help="threads of the engine (default: FFGAN_NUM_THREADS, OMP_NUM_THREADS, else one per "
        "core)",
    )


def use_threads(arguments: argparse.Namespace) -> None:
    if arguments.threads is not None:
        _core.set_threads(arguments.threads)


def add_samples(parser: Parser, default: int, least: int, most: int) -> None:
    """Give `parser` the options of the faces that are measured."""
    samples = parser.add_argument_group("samples")
    samples.add_argument(
        "--samples",
        metavar="N",
        type=integer(least, most),
        default=default,
        help="faces, and as many real images if there are (default: %(default)s)",
    )
    samples.add_argument(
        "--seed",
        type=integer(0, MAX_SEED - most),
        default=0,
        help="seed of the first face (default: %(default)s)",
    )
    samples.add_argument(
        "--candidates",
        action="store_true",
        help="what the candidate search takes, not the first draws (default: no)",
    )
    add_search(samples)


def add_recognition(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the file of the network that tells faces apart."""
    parser.add_argument(
        "--recognition",
        metavar="FILE",
        type=local_path,
        help="dlib's face recognition network, from somebody you trust "
        "(default: that of the extra 'faces')",
    )


def add_colour(parser: argparse._ActionsContainer, default: str | None = None) -> None:
    """Give `parser` what is done with a picture that is not in sRGB."""
    parser.add_argument(
        "--colour",
        choices=images.COLOURS,
        default=default,
        help="convert: pictures in another colour space become sRGB; ignore: their numbers are "
        "taken as they are (default: "
        + ("as a packed file has it, else convert)" if default is None else "%(default)s)"),
    )


def add_fit(parser: argparse._ActionsContainer) -> None:
    """Give `parser` what is done with a picture that is not square."""
    parser.add_argument(
        "--fit",
        choices=images.FITS,
        default="crop",
        help="how a picture that is not square is made so (default: %(default)s)",
    )
