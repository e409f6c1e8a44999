# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `python -m ffgan`, and the scripts `ffgan` and `FFgan`.

Every command calls the same public functions as a user's script would. Whatever goes wrong ends in
one line on stderr: exit status 2 for bad input, 1 for a failure, 130 for Ctrl+C, 143 for SIGTERM.
An audit that finds signs of copying ends with 3.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
import time
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from ffgan import __version__, _core
from ffgan.cli.face_files import FaceFiles
from ffgan.errors import DisplayError, Error, ModelError, UsageError
from ffgan.latent import MAX_SEED, random_seed
from ffgan.model import DEFAULT_TRIES, Face, Model
from ffgan.training.settings import DEFAULT_EVALUATE_EVERY

if TYPE_CHECKING:
    from ffgan.viewer import Window

DEFAULT_DELAY = 0.5
DEFAULT_QUALITY = 95
DEFAULT_SCALE = 3
DEFAULT_PROFILE_BATCH = 16
MAX_SIZE = 4096
MAX_COUNT = 1_000_000_000
MAX_TRIES = 1000
MAX_THREADS = 1024
COPIES = 3  # the exit status of an audit that finds signs of copying
MAX_WORKERS = 256

ORIGINAL_FORMS = {"--train": "train", "--gen": "gen", "--web": "web"}

EXAMPLES = """\
examples:
  ffgan gen 10                          ten faces in a window, one after another
  ffgan gen 100 --out faces             a hundred files, faces/face-<seed>.png
  ffgan gen 1 --seed 7 --out me.png     the face of seed 7, always the same one
  ffgan extract photos faces            cut the faces out of photographs, to train on
  ffgan train faces --minutes 120       train on a folder of pictures for two hours
  ffgan explore                         sliders, blends and a gallery, in the browser
  ffgan web                             faces in the browser: http://localhost:9190
  ffgan info                            the networks, the model, the engine
  ffgan evaluate --real photos          how good the model is, in numbers
  ffgan audit --train photos            whether the model copies what it was trained on

`ffgan --gen N`, `ffgan --train DIR` and `ffgan --web` mean the same as the commands of these names.
`ffgan COMMAND --help` explains a command. Exit status: 0 done, 2 bad input, 1 failure, 130 Ctrl+C,
143 ended by SIGTERM."""

GEN_EXAMPLES = """\
examples:
  ffgan gen 10                             show ten faces, half a second each
  ffgan gen 10 --delay 0                   show ten faces, a key press each
  ffgan gen 10 --out faces --format jpg    show and write faces/face-<seed>.jpg
  ffgan gen 1 --seed 7 --out me.webp       one face to this very file
  ffgan gen 64 --grid --no-window          one sheet, faces/faces-<seed>-64.png
  ffgan gen 10 --truncation 0.7            faces closer to the average face

In the window: space or n the next face, s save this one, q or Escape (or closing the window) stop.
Face i has seed SEED+i, and one seed of one model is always the same face; so a file of the same
name is replaced. Where no window can be opened, the files go to ./faces."""

TRAIN_EXAMPLES = """\
examples:
  ffgan train photos                          go on with runs/photos, else from the packaged model
  ffgan train photos --dry-run                the settings and the estimated time, nothing else
  ffgan train photos --init scratch --name a --minutes 120
  ffgan train photos --augment all --flip --ema 0.9995
  ffgan train photos --steps 10000 --batch 32 --learning-rate-d 1e-4

Ctrl+C finishes the step and writes a checkpoint; the same command again goes on from there."""

WEB_EXAMPLES = """\
examples:
  ffgan web                          http://localhost:9190, for this computer only
  ffgan web --host 0.0.0.0           for every computer that reaches this one
  ffgan web --port 8000 --model runs/photos/model.safetensors
  ffgan web --workers 4 --token-file tokens --access-log json --root-path /faces

SIGHUP loads the model file again, without a request lost; SIGTERM and Ctrl+C finish what is in
flight."""

EXPLORE_EXAMPLES = """\
examples:
  ffgan explore                      opens the page of `ffgan web`, at a free port
  ffgan explore --seed 7             begin with this face
  ffgan explore --model runs/photos/model.safetensors
  ffgan explore --no-browser         only print the address

Ctrl+C in the terminal ends it."""

INFO_EXAMPLES = """\
examples:
  ffgan info                            of the packaged model
  ffgan info --json --model FILE        for programs
  ffgan info --discriminator table      the layers of the other discriminator
  ffgan info --profile                  where the time goes, layer by layer"""

EVALUATE_EXAMPLES = """\
examples:
  ffgan evaluate --real photos                    2000 faces of the packaged model beside photos
  ffgan evaluate --real photos --model FILE --json > figures.json
  ffgan evaluate --real photos --samples 500      four times as fast, and not as sure
  ffgan evaluate --real photos --candidates       the faces that `gen` would draw
  ffgan evaluate --real photos --cache real.cache for several models: measure photos once

Compare only figures of equal numbers of images. Needs pip install 'ffgan[evaluate]'."""

AUDIT_EXAMPLES = """\
examples:
  ffgan audit --train photos --heldout others     is anything of photos copied?
  ffgan audit --train photos --heldout others --report audit.html
  ffgan audit --train photos                      without others: what can be said then
  ffgan audit --train photos --model FILE --json > audit.json

Exit status: 0 no sign of copying, 3 signs of copying. Needs pip install 'ffgan[evaluate]'."""

EXTRACT_EXAMPLES = """\
examples:
  ffgan extract photos faces                        200 pixels, as dlib cuts them out
  ffgan extract photos faces --framing training     162 pixels, as the packaged model's faces lie
  ffgan extract photos faces --upsample 1           also faces of 40 pixels
  ffgan extract photos faces --per-identity 20      at most 20 of one person
  ffgan extract photos faces --min-sharpness 1.5    does not look again, only chooses again
  ffgan extract photos faces --dry-run              counts, and writes nothing

Ctrl+C stops after the photographs at hand; the same command again goes on from there, and looks
only at photographs that are new or changed. Photographs are never written to, and nothing leaves
this machine; `rm -r faces` deletes all that was made. Needs pip install 'ffgan[faces]'."""

PACK_EXAMPLES = """\
examples:
  ffgan pack faces faces.pack
  ffgan train faces.pack"""

IMPORT_EXAMPLES = """\
example:
  ffgan import dcgan_162x162_synth_faces.dnn
  ffgan import dcgan_162x162_synth_faces.dnn.bz2 faces.safetensors"""

EXPORT_EXAMPLES = """\
examples:
  ffgan export faces.dnn
  ffgan export faces.onnx --model runs/photos/model.safetensors"""

MODEL_HELP = (
    "model file; table: the packaged model with the discriminator table (default: the packaged "
    "model)"
)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help whose examples keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors are one line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def integer(low: int, high: int) -> Callable[[str], int]:
    """An argument type: a whole number from `low` to `high`, both included."""

    def parse(text: str) -> int:
        value = whole(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low} to {high}, not {text}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """An argument type: a number from `low` to `high`, both included."""

    def parse(text: str) -> float:
        value = real(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be from {low:g} to {high:g}, not {text}")
        return value

    return parse


def whole(text: str) -> int:
    """An argument type: a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not '{text}'") from None


def real(text: str) -> float:
    """An argument type: a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not '{text}'") from None


@dataclasses.dataclass(frozen=True)
class Option:
    """The help of one option; the rest about it stands in a dataclass of settings."""

    field: str
    help: str
    metavar: str | None = None
    absent: str = "none"

    @property
    def flag(self) -> str:
        return "--" + self.field.replace("_", "-")


TRAIN_OPTIONS = {
    "run": (
        Option("runs", "folder of all runs", "DIR"),
        Option("name", "name of this run, a folder in it", "NAME", "the name of DIR"),
        Option(
            "init",
            "resume: go on with the run; model, model:FILE: fine-tune the packaged or that model; "
            "scratch: random weights",
            "HOW",
            "resume if the run has a checkpoint, else model if one is packaged, else scratch",
        ),
        Option(
            "recipe",
            "the defaults of a new run: original, as the original trained; warm, a warm start and "
            "an adversary; projected, two more adversaries, which need the extras 'faces' and "
            "'imagenet'; they stand in docs/training.md, and --dry-run prints them",
            "{original,warm,projected}",
            "projected with both extras, else warm",
        ),
        Option("seed", "seed of everything random", "SEED"),
        Option("steps", "end after this many steps", "N", "no limit"),
        Option(
            "epochs",
            "end after this many passes over the images",
            "N",
            "25 without --steps or --minutes",
        ),
        Option("minutes", "end after this time", "MINUTES", "no limit"),
        Option("log_every", "steps between two lines of train.jsonl", "STEPS"),
        Option("sample_every", "steps between two sample grids", "STEPS"),
        Option("checkpoint_every", "steps between two checkpoints", "STEPS"),
        Option("checkpoint_minutes", "longest time between two checkpoints", "MINUTES"),
        Option("keep_checkpoints", "how many checkpoints are kept", "N"),
        Option("window", "show the sample grids in a window"),
        Option(
            "heldout",
            "folder of pictures to measure the generator on at intervals; the best model is kept",
            "DIR",
            "no measuring",
        ),
        Option(
            "evaluate_every",
            "steps between two measurements; 0: none",
            "STEPS",
            f"{DEFAULT_EVALUATE_EVERY} with --heldout",
        ),
        Option("evaluate_samples", "faces, and held-out pictures, of a measurement", "N"),
    ),
    "networks and optimisation": (
        Option(
            "discriminator", "which one; table costs 22 times as much per image", "{program,table}"
        ),
        Option("batch", "images per step", "N"),
        Option("learning_rate_g", "Adam, generator", "RATE"),
        Option("learning_rate_d", "Adam, discriminator", "RATE"),
        Option("beta1", "Adam, decay of the first moment", "BETA"),
        Option("beta2", "Adam, decay of the second moment", "BETA"),
        Option("loss", "adversarial loss", "{logistic,hinge,relativistic}"),
        Option(
            "discriminator_norm",
            "what the discriminator's norms normalise by: the batch, or statistics that are "
            "measured once and stay",
            "{batch,fixed}",
        ),
        Option("gradient_penalty", "weight of R1; with fixed norms", "WEIGHT"),
        Option(
            "adversarial_weight",
            "how much the discriminator counts for the generator; 0: it is not trained",
            "WEIGHT",
        ),
        Option("texture_weight", "how much the distance of textures counts", "WEIGHT"),
        Option(
            "chroma_weight",
            "how much it counts that colour varies more from pixel to pixel than in the real "
            "images",
            "WEIGHT",
        ),
        Option(
            "grid_weight",
            "how much it counts that neighbouring pixels differ more at some places of a 4x4 grid "
            "than at others",
            "WEIGHT",
        ),
        Option(
            "smooth_upsampling",
            "share of the checkerboard in the generator's kernels that each step removes",
            "SHARE",
        ),
        Option(
            "projected_weight",
            "how much a second discriminator counts, which sees images through dlib's face "
            "recognition network; with fixed norms",
            "WEIGHT",
        ),
        Option("projected_penalty", "weight of R1 there", "WEIGHT"),
        Option(
            "projected_details",
            "share of the images of which it sees a part at twice the size, too",
            "SHARE",
        ),
        Option(
            "identity_weight",
            "how much the energy distance counts between the identities of generated and real "
            "faces, as that network sees them: there should be as many different ones",
            "WEIGHT",
        ),
        Option(
            "matching_weight",
            "how much that of the statistics of the features counts, of that network's and those "
            "of --imagenet-weight",
            "WEIGHT",
        ),
        Option(
            "perceptual_weight",
            "how much it counts that the anchor's images come back with the identities and the "
            "statistics that they had; with --anchor-weight",
            "WEIGHT",
        ),
        Option(
            "recognition",
            "dlib's face recognition network, from somebody you trust",
            "FILE",
            "that of the extra 'faces'",
        ),
        Option(
            "imagenet_weight",
            "how much a discriminator counts which sees images through an ImageNet network; needs "
            "the extra 'imagenet', and fixed norms",
            "WEIGHT",
        ),
        Option("new_discriminator", "begin with an untrained one when fine-tuning"),
        Option("label_smoothing", "one-sided: taken off the label of real images", "X"),
        Option("dropout", "the discriminator's dropout rate", "RATE"),
        Option("ema", "decay of the averaged generator", "DECAY"),
        Option("joint_update", "update both networks from one pass through the discriminator"),
        Option(
            "warm_start",
            "from scratch only: first steps that teach the generator faces by their principal "
            "components",
            "STEPS",
        ),
        Option("warm_start_batch", "images per step of the warm start", "N"),
        Option(
            "identity_codes",
            "so many of the 100 components are of whose face it is, by dlib's face recognition "
            "network, instead of the pixels",
            "N",
        ),
        Option("anchor_weight", "how much the warm start still counts afterwards", "WEIGHT"),
        Option("anchor_share", "share of a batch that it counts for", "SHARE"),
        Option("anchor_skip", "finest levels of detail that it leaves free", "N"),
        Option(
            "blur",
            "deviation of the blur that the discriminator sees all images through, pixels",
            "SIGMA",
        ),
        Option("blur_steps", "steps in which that blur falls to 0; 0: it stays", "STEPS"),
        Option("discriminator_warmup", "steps that train the discriminator alone first", "STEPS"),
    ),
    "images": (
        Option("fit", "how a picture that is not square is made so", "{crop,stretch}"),
        Option("flip", "mirror half of the images"),
        Option(
            "augment",
            "differentiable augmentation: none, all, or a list such as colour,translation,cutout",
            "LIST",
        ),
        Option("translation", "largest shift", "PIXELS"),
        Option("cutout", "side of the hole", "PIXELS"),
        Option("cache", "keep the decoded images in this file", "FILE", "no cache"),
    ),
    "machine": (
        Option("threads", "threads of the engine", "N", "one per core"),
        Option("workers", "threads that read images", "N"),
    ),
}


def add_train(parser: Parser) -> None:
    """Give `parser` an option for every field of `ffgan.training.Settings`."""
    from ffgan.training import Settings

    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="folder of pictures, or a file made by `pack`"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved settings and the estimated time, and stop (default: no)",
    )
    # What is not given is left out: a run that goes on keeps its own settings for that.
    add_fields(parser, Settings, TRAIN_OPTIONS)


def add_fields(parser: Parser, settings: type[Any], groups: Mapping[str, Sequence[Option]]) -> None:
    """Give `parser` an option for each of those fields of a dataclass that stand in `groups`."""
    types = typing.get_type_hints(settings)
    defaults = settings()
    for title, options in groups.items():
        group = parser.add_argument_group(title)
        for option in options:
            default = getattr(defaults, option.field)
            given: dict[str, Any] = {"default": argparse.SUPPRESS}
            if types[option.field] is bool:
                given["action"] = argparse.BooleanOptionalAction
                default = "yes" if default else "no"
            else:
                given["type"] = parse_as(types[option.field])
                given["metavar"] = option.metavar
            shown = option.absent if default in (None, "") else default
            group.add_argument(option.flag, help=f"{option.help} (default: {shown})", **given)


def parse_as(declared: Any) -> Callable[[str], Any]:
    """The argument type of a field declared as str, int or float, or as one of them or None."""
    possible = typing.get_args(declared) or (declared,)
    if int in possible:
        return whole
    return real if float in possible else str


def add_search(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the options of the candidate search, shared by `gen` and `web`."""
    parser.add_argument("--model", metavar="FILE", type=Path, help=MODEL_HELP)
    parser.add_argument(
        "--tries",
        metavar="N",
        type=integer(1, MAX_TRIES),
        default=DEFAULT_TRIES,
        help="draws per face until the discriminator takes one, else the best is taken "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        metavar="SCORE",
        type=number(-1000, 1000),
        help="the score above which a face is taken (default: the model's own)",
    )


def add_threads(parser: argparse._ActionsContainer) -> None:
    """Give `parser` the number of threads; `use_threads` obeys it."""
    parser.add_argument(
        "--threads",
        metavar="N",
        type=integer(1, MAX_THREADS),
        help="threads of the engine (default: FFGAN_NUM_THREADS, else one per core)",
    )


def use_threads(arguments: argparse.Namespace) -> None:
    if arguments.threads is not None:
        _core.set_threads(arguments.threads)


def add_gen(parser: Parser) -> None:
    parser.add_argument("count", metavar="N", type=integer(1, MAX_COUNT), help="how many faces")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--out",
        metavar="DIR|FILE",
        type=Path,
        help="write to this folder, or a single picture to this file "
        "(default: no files beside a window, else ./faces)",
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
        help="below 1: closer to the average face, above 1: stranger (default: %(default)s)",
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


SERVER_OPTIONS = {
    "load": (
        Option("queue", "faces that may wait for the engine; beyond, the answer is 503", "N"),
        Option("batch", "faces that are drawn at once", "N"),
        Option("batch_wait", "how long an idle engine waits for company", "MILLISECONDS"),
    ),
    "behind a proxy": (
        Option("root_path", "prefix under which the proxy serves this", "PATH", "none"),
    ),
    "limits of one request": (
        Option("max_tries", "draws per face", "N"),
        Option("max_size", "width and height of a face", "PIXELS"),
        Option("max_faces", "faces in an archive", "N"),
        Option("max_grid", "faces in a grid", "N"),
        Option("max_frames", "frames of an interpolation", "N"),
        Option("max_latents", "latents in or out", "N"),
        Option("max_upload", "size of an upload", "BYTES"),
        Option("max_uploads", "uploads in memory at one time", "N"),
        Option("max_pixels", "pixels of an uploaded or an answered image", "N"),
        Option("head_seconds", "to say what it wants", "SECONDS"),
        Option("upload_seconds", "to send an upload", "SECONDS"),
        Option("send_seconds", "to accept a part of the answer", "SECONDS"),
    ),
}


def add_web(parser: Parser) -> None:
    from ffgan.server import DEFAULT_GRACE, DEFAULT_PORT, Settings

    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 opens it to the network (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=integer(0, 65535),
        default=DEFAULT_PORT,
        help="0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=integer(1, MAX_WORKERS),
        default=1,
        help="processes that share the port and the cores (default: %(default)s)",
    )
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=number(0, 3600),
        default=DEFAULT_GRACE,
        help="what requests in flight get when it is stopped (default: %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        choices=("critical", "error", "warning", "info", "debug"),
        default="warning",
        help="info prints a line per request (default: %(default)s)",
    )
    parser.add_argument(
        "--access-log",
        choices=("none", "json"),
        default="none",
        help="json prints an object per answer on stdout (default: %(default)s)",
    )
    add_search(parser)
    add_threads(parser)
    access = parser.add_argument_group("access")
    access.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="bearer tokens, one a line, of which a request needs one (default: none needed)",
    )
    access.add_argument(
        "--cors",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="origin whose pages may read the answers, such as https://a.org; repeatable; "
        "'*': any (default: none)",
    )
    add_fields(parser, Settings, SERVER_OPTIONS)


def read_tokens(path: Path | None) -> tuple[str, ...]:
    """The tokens in a file, one a line."""
    if path is None:
        return ()
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    if not lines:
        raise UsageError(f"{path} holds no token: write one a line, e.g. openssl rand -hex 32")
    return tuple(lines)


def add_explore(parser: Parser) -> None:
    parser.add_argument(
        "--seed", type=integer(0, MAX_SEED), help="the face to begin with (default: a random one)"
    )
    parser.add_argument(
        "--port",
        type=integer(0, 65535),
        default=0,
        help="port of the page; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--no-browser",
        action="store_true",
        help="print the address and open nothing (default: open the browser)",
    )
    add_search(parser)
    add_threads(parser)


def add_info(parser: Parser) -> None:
    parser.add_argument("--model", metavar="FILE", type=Path, help=MODEL_HELP)
    parser.add_argument(
        "--discriminator",
        choices=("program", "table"),
        help="which discriminator's layers (default: the model's)",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="also measure each layer's time, in inference and in training (default: no)",
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        type=integer(1, 1024),
        default=DEFAULT_PROFILE_BATCH,
        help="images at a time in the profile of training (default: %(default)s)",
    )
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="as JSON (default: as tables)")


def add_evaluate(parser: Parser) -> None:
    from ffgan import evaluation

    images = parser.add_argument_group("real images")
    images.add_argument(
        "--real",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder of pictures to compare with, or a file made by `pack` (required)",
    )
    images.add_argument(
        "--fit",
        choices=("crop", "stretch"),
        default="crop",
        help="how a picture that is not square is made so (default: %(default)s)",
    )
    images.add_argument(
        "--cache",
        metavar="FILE",
        type=Path,
        help="keep what the networks make of the real images in this file (default: no cache)",
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
        type=Path,
        help="dlib's face recognition network, from somebody you trust "
        "(default: that of the extra 'faces')",
    )


def add_audit(parser: Parser) -> None:
    from ffgan import audit, evaluation

    images = parser.add_argument_group("real images")
    images.add_argument(
        "--train",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder of the pictures that the model was trained on (required)",
    )
    images.add_argument(
        "--heldout",
        metavar="DIR",
        type=Path,
        help="folder of pictures of the same kind that it was not trained on "
        "(default: none, and training pictures beside one another instead)",
    )
    images.add_argument(
        "--mirrored",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare with the mirror images too (default: yes)",
    )
    images.add_argument(
        "--fit",
        choices=("crop", "stretch"),
        default="crop",
        help="how a picture that is not square is made so (default: %(default)s)",
    )
    add_samples(parser, audit.DEFAULT_SAMPLES, evaluation.MIN_IMAGES, audit.MAX_SAMPLES)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="write a page with the distances and the closest pairs (default: no page)",
    )
    output.add_argument("--json", action="store_true", help="as JSON (default: as a table)")
    add_recognition(output)
    add_threads(output)


THRESHOLD_OPTIONS = {
    "min_size": ("PIXELS", "too small: side, in the photograph, of the square that is cut out"),
    "max_outside": ("SHARE", "cut by the border: share of that square beyond the photograph"),
    "max_yaw": ("DEGREES", "turned away: to the left or right"),
    "max_pitch": ("DEGREES", "turned away: up or down"),
    "min_sharpness": ("X", "blurred: 2.1 and more is sharp, 1.3 and less blurred"),
    "min_light": ("LEVEL", "badly lit: mean brightness, of 255"),
    "max_light": ("LEVEL", "badly lit: mean brightness, of 255"),
    "min_contrast": ("LEVELS", "badly lit: standard deviation of the brightness, of 255"),
}


def add_extract(parser: Parser) -> None:
    from ffgan import extraction, faces
    from ffgan.extraction import quality
    from ffgan.faces import alignment as framing

    defaults, thresholds = extraction.Settings(), quality.Thresholds()
    parser.add_argument("photos", metavar="PHOTOS", type=Path, help="folder of photographs")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the faces")
    parser.add_argument(
        "--dry-run", action="store_true", help="look at everything, write nothing (default: no)"
    )
    find = parser.add_argument_group("finding faces")
    find.add_argument(
        "--detector",
        choices=faces.DETECTORS,
        default=defaults.detector,
        help="hog: dlib's frontal detector; cnn: dlib's network, for hard photographs, several "
        "times as slow (default: %(default)s)",
    )
    find.add_argument(
        "--upsample",
        metavar="N",
        type=integer(0, 4),
        default=defaults.upsample,
        help="0 finds faces of 80 pixels and more, 1 of 40, 2 of 20; each at four times the work "
        "(default: %(default)s)",
    )
    find.add_argument(
        "--confidence",
        metavar="X",
        type=number(-10, 10),
        default=defaults.confidence,
        help="the detector's least score; below 0 more faces, and more that are none "
        "(default: %(default)s)",
    )
    chips = parser.add_argument_group("cutting them out")
    chips.add_argument(
        "--framing",
        choices=framing.FRAMINGS,
        default=defaults.framing,
        help="dlib: as its get_face_chip_details; training: as the faces that the packaged model "
        "was trained on (default: %(default)s)",
    )
    chips.add_argument(
        "--size",
        metavar="PIXELS",
        type=integer(16, MAX_SIZE),
        help="side of a face's picture (default: 200 with dlib, 162 with training)",
    )
    chips.add_argument(
        "--padding",
        metavar="SHARE",
        type=number(0, 10),
        help=f"added around the face on each side; for dlib only (default: {framing.PADDING})",
    )
    chips.add_argument(
        "--format",
        choices=("jpg", "png"),
        default=defaults.format,
        help="file format (default: %(default)s)",
    )
    chips.add_argument(
        "--quality",
        metavar="1..100",
        type=integer(1, 100),
        default=defaults.quality,
        help="of jpg (default: %(default)s)",
    )
    choose = parser.add_argument_group("leaving faces out")
    for name, (metavar, text) in THRESHOLD_OPTIONS.items():
        default = getattr(thresholds, name)
        shown = "half of --size" if default is None else default
        choose.add_argument(
            "--" + name.replace("_", "-"),
            metavar=metavar,
            type=number(*quality.LIMITS[name]),
            default=default,
            help=f"{text} (default: {shown})",
        )
    choose.add_argument(
        "--grey",
        action=argparse.BooleanOptionalAction,
        default=thresholds.grey,
        help="take faces without colour (default: yes)",
    )
    choose.add_argument(
        "--duplicates",
        choices=("hash", "embedding", "keep"),
        default=defaults.duplicates,
        help="how one face in several files is known: by a perceptual hash, by an embedding, "
        "not at all (default: %(default)s)",
    )
    choose.add_argument(
        "--per-identity",
        metavar="N",
        type=integer(1, MAX_COUNT),
        help="most faces of one person, the largest (default: any number)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--embeddings",
        action="store_true",
        help="store embeddings, which can tell who a face is, as embeddings.npy (default: no)",
    )
    output.add_argument(
        "--sheet",
        metavar="N",
        type=integer(0, 1000),
        default=defaults.sheet,
        help="faces of each kind on the contact sheet; 0: no sheet (default: %(default)s)",
    )
    files = parser.add_argument_group("dlib's files, from somebody you trust")
    for flag, text in (
        ("--landmarks", "shape predictor, of 68 points for the framing training"),
        ("--recognition", "face recognition network"),
        ("--detector-file", "network of --detector cnn"),
    ):
        files.add_argument(
            flag, metavar="FILE", type=Path, help=f"{text} (default: that of the extra 'faces')"
        )
    add_threads(files)


def add_pack(parser: Parser) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help="folder of pictures")
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    parser.add_argument(
        "--fit",
        choices=("crop", "stretch"),
        default="crop",
        help="how a picture that is not square is made so (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=integer(1, MAX_THREADS),
        default=2,
        help="threads that read images (default: %(default)s)",
    )


def add_import(parser: Parser) -> None:
    parser.add_argument("source", metavar="FILE.dnn", type=Path, help="the original's model file")
    parser.add_argument(
        "target",
        metavar="OUT.safetensors",
        type=Path,
        nargs="?",
        help="the file to write (default: FILE.safetensors, here)",
    )


def add_export(parser: Parser) -> None:
    parser.add_argument("target", metavar="OUT.dnn|OUT.onnx", type=Path, help="the file to write")
    parser.add_argument("--model", metavar="FILE", type=Path, help=MODEL_HELP)


def modern(arguments: Sequence[str]) -> list[str]:
    """The original's `--gen N`, `--train DIR`, `--web` as the commands, before other options."""
    for place, argument in enumerate(arguments):
        if argument in COMMANDS or argument == "--":
            break
        flag, equals, value = argument.partition("=")
        if flag in ORIGINAL_FORMS:
            rest = [*([value] if equals else []), *arguments[place + 1 :]]
            return [ORIGINAL_FORMS[flag], *rest, *arguments[:place]]
    return list(arguments)


def notice(text: str) -> None:
    print(f"ffgan: {text}", file=sys.stderr, flush=True)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def run_gen(arguments: argparse.Namespace) -> int:
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
    interrupted = False
    with window or contextlib.nullcontext(), progress(arguments.count) as advance:
        try:
            for face in faces:
                count += 1
                tries += face.tries
                if arguments.grid:
                    made.append(face)
                elif to_files:
                    files.save_face(face)
                advance()
                if window is not None and not show(window, face, files, arguments.delay):
                    break
        except KeyboardInterrupt:
            interrupted = True
            if to_files and not arguments.grid:
                count = len(files.written)  # the last face may not have come so far
    if made:
        files.save_sheet(made)

    print(summary(files, count, tries, time.monotonic() - began, first), flush=True)
    if interrupted:
        notice(f"stopped with Ctrl+C, {counted(len(files.written), 'file')} written")
        return 130
    return 0


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


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A progress bar with rate and time left on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        "faces",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("faces", total=total)
        yield lambda: bar.advance(task)


def summary(files: FaceFiles, count: int, tries: int, seconds: float, first: int) -> str:
    draws = counted(tries, "try", "tries")
    text = f"{counted(count, 'face')}, {draws}, {seconds:.1f} s, from seed {first}"
    if not files.written:
        return f"{text}; no files (--out DIR writes them)"
    *_, last = files.written
    if len(files.written) == 1:
        return f"{text}: {last}"
    return f"{text}: {len(files.written)} files in {last.parent}"


def run_train(arguments: argparse.Namespace) -> int:
    from ffgan import training

    names = {field.name for field in dataclasses.fields(training.Settings)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    if arguments.dry_run:
        print(training.dry_run(arguments.directory, **given))
        return 0
    try:
        model = training.train(arguments.directory, **given)
    except training.Interrupted as interrupted:
        notice(str(interrupted))
        return interrupted.exit_code
    print(f"model: {model}")
    return 0


def run_web(arguments: argparse.Namespace) -> int:
    from ffgan.server import Settings, serve

    use_threads(arguments)
    fields = {field.name for field in dataclasses.fields(Settings)}
    given = {name: value for name, value in vars(arguments).items() if name in fields}
    given |= {
        "tokens": read_tokens(arguments.token_file),
        "cors": tuple(arguments.cors),
        "access_log": arguments.access_log == "json",
    }
    serve(
        arguments.model,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        log_level=arguments.log_level,
        grace=arguments.grace,
        settings=Settings(**given),
    )
    return 0


def run_explore(arguments: argparse.Namespace) -> int:
    from ffgan.server import Settings, serve

    use_threads(arguments)

    def ready(address: str) -> None:
        page = f"{address}/" if arguments.seed is None else f"{address}/?seed={arguments.seed}"
        print(f"ffgan: the page is at {page} (Ctrl+C stops)", flush=True)
        if not arguments.no_browser:
            # Some browsers return only when they are closed.
            threading.Thread(target=open_browser, args=(page,), daemon=True).start()

    serve(
        arguments.model,
        port=arguments.port,
        settings=Settings(tries=arguments.tries, threshold=arguments.threshold),
        ready=ready,
    )
    return 0


def open_browser(page: str) -> None:
    """Show `page` in the user's browser, or say in one line that none could be opened."""
    import webbrowser

    try:
        browser = webbrowser.get()
        # One for the terminal would take this one over, and shows neither faces nor sliders.
        textual = type(browser) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
        opened = not textual and browser.open(page)
    except webbrowser.Error:
        opened = False
    if not opened:
        notice("no browser could be opened: open the address yourself, or set BROWSER")


def run_info(arguments: argparse.Namespace) -> int:
    from ffgan.cli import info

    use_threads(arguments)
    model: Model | None = None
    try:
        model = Model.load(arguments.model)
    except ModelError as error:
        # Without a packaged model the networks and the engine can still be told.
        if arguments.model is not None:
            raise
        notice(f"warning: {error}")
    discriminator = arguments.discriminator or (model.discriminator if model else "program")
    facts = info.collect(model, discriminator)
    if arguments.profile:
        facts["profile"] = info.profile(model, discriminator, arguments.batch)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    elif sys.stdout.isatty():
        info.print_tables(facts)
    else:
        info.print_plain(facts)
    return 0


def run_evaluate(arguments: argparse.Namespace) -> int:
    from ffgan import evaluation

    use_threads(arguments)
    with measuring() as progress:
        result = evaluation.evaluate(
            arguments.model,
            arguments.real,
            samples=arguments.samples,
            seed=arguments.seed,
            candidates=arguments.candidates,
            tries=arguments.tries,
            threshold=arguments.threshold,
            feature_network=arguments.features,
            recognition=arguments.recognition,
            fit=arguments.fit,
            cache=arguments.cache,
            progress=progress,
        )
    print(json.dumps(result, indent=2) if arguments.json else evaluation.table(result))
    return 0


def run_audit(arguments: argparse.Namespace) -> int:
    from ffgan import audit

    use_threads(arguments)
    report: Path | None = arguments.report
    if report is not None and (report.is_dir() or not report.absolute().parent.is_dir()):
        # Now, not after minutes of measuring.
        raise UsageError(f"--report {report} is no name of a file in a folder that there is")
    with measuring() as progress:
        result = audit.audit(
            arguments.model,
            arguments.train,
            arguments.heldout,
            samples=arguments.samples,
            seed=arguments.seed,
            candidates=arguments.candidates,
            tries=arguments.tries,
            threshold=arguments.threshold,
            mirrored=arguments.mirrored,
            fit=arguments.fit,
            recognition=arguments.recognition,
            progress=progress,
        )
    if report is not None:
        from ffgan.audit import page as audit_page

        report.write_text(audit_page.render(result), encoding="utf-8")
    figures = result.figures
    print(json.dumps(figures, indent=2) if arguments.json else audit.table(figures))
    return COPIES if figures["verdict"]["copies"] else 0


@contextlib.contextmanager
def measuring() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each of several things on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield update


def run_extract(arguments: argparse.Namespace) -> int:
    from ffgan import extraction

    use_threads(arguments)
    settings = {
        name: value for name, value in vars(arguments).items() if name not in ("command", "debug")
    }
    result = extraction.extract(**settings)
    print(extraction.table(result, arguments.out, dry_run=arguments.dry_run))
    return 0


def run_pack(arguments: argparse.Namespace) -> int:
    from ffgan import dataset

    with measuring() as progress:
        packed = dataset.pack(
            arguments.directory,
            arguments.file,
            fit=arguments.fit,
            workers=arguments.workers,
            progress=lambda done, total: progress("packing", done, total),
        )
    print(packed.summary)
    print(f"packed: {arguments.file}")
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    source: Path = arguments.source
    target = arguments.target or Path(source.name.removesuffix(".bz2")).with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise UsageError(f"{target} must end in .safetensors")
    from ffgan.model import legacy

    legacy.import_dnn(source, target)
    print(f"model: {target}")
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    from ffgan.model import legacy

    writers = {".dnn": legacy.export_dnn, ".onnx": legacy.export_onnx}
    writer = writers.get(arguments.target.suffix)
    if writer is None:
        raise UsageError(f"{arguments.target} must end in .dnn or .onnx")
    writer(Model.load(arguments.model), arguments.target)
    print(f"written: {arguments.target}")
    return 0


@dataclasses.dataclass(frozen=True)
class Command:
    """One subcommand: its line in the overview, its help, its options and what it does."""

    summary: str
    description: str
    examples: str
    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS = {
    "train": Command(
        "train on a folder of pictures",
        "Train, or go on training, on all pictures in a folder and its subfolders.",
        TRAIN_EXAMPLES,
        add_train,
        run_train,
    ),
    "gen": Command(
        "draw faces",
        "Draw faces, show them in a window, write them to files.",
        GEN_EXAMPLES,
        add_gen,
        run_gen,
    ),
    "web": Command(
        "serve faces to browsers", "Serve faces to browsers.", WEB_EXAMPLES, add_web, run_web
    ),
    "explore": Command(
        "look around among the faces, in the browser",
        "Open the page in the browser: sliders along the latent space, blends, a gallery.",
        EXPLORE_EXAMPLES,
        add_explore,
        run_explore,
    ),
    "info": Command(
        "print the networks, the model, the engine",
        "Print the layers of the networks, the model's metadata and what the engine runs on.",
        INFO_EXAMPLES,
        add_info,
        run_info,
    ),
    "evaluate": Command(
        "measure how good a model is",
        "Measure how good a model is: its faces beside real images, in numbers.",
        EVALUATE_EXAMPLES,
        add_evaluate,
        run_evaluate,
    ),
    "audit": Command(
        "find out whether a model copies",
        "Find out whether a model copies: its faces beside the pictures it was trained on.",
        AUDIT_EXAMPLES,
        add_audit,
        run_audit,
    ),
    "extract": Command(
        "cut the faces out of photographs",
        "Find the faces in all photographs of a folder, cut them out upright, leave out bad ones.",
        EXTRACT_EXAMPLES,
        add_extract,
        run_extract,
    ),
    "pack": Command(
        "make one file of a folder of pictures",
        "Decode a folder of pictures once, into one file that `train` reads fastest.",
        PACK_EXAMPLES,
        add_pack,
        run_pack,
    ),
    "import": Command(
        "read a model file of the original FFgan",
        "Turn a .dnn file of the original FFgan into a model file of this program.",
        IMPORT_EXAMPLES,
        add_import,
        run_import,
    ),
    "export": Command(
        "write a model for dlib or ONNX",
        "Write a model as .dnn, which a plain dlib program loads, or as .onnx.",
        EXPORT_EXAMPLES,
        add_export,
        run_export,
    ),
}


def build_parser(arguments: Sequence[str]) -> Parser:
    """The parser for a command line; only the commands it names get their options.

    Those of `train` and `web` come from modules that the other commands need not wait for.
    """
    common = Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show where in the program an error comes from",
    )
    parser = Parser(
        prog="ffgan",
        description="Faces from a DCGAN, 162x162 pixels: train it, draw from it, serve it.",
        epilog=EXAMPLES,
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"ffgan {__version__}")
    parsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=Parser
    )
    for name, command in COMMANDS.items():
        subparser = parsers.add_parser(
            name,
            help=command.summary,
            description=command.description,
            epilog=command.examples,
            parents=[common],
        )
        if name in arguments:
            command.add_options(subparser)
    return parser


def explain(error: BaseException) -> tuple[str, int]:
    """One line and an exit status for whatever ended a command."""
    from ffgan.viewer import missing_library

    if isinstance(error, Error):
        return f"error: {error}", error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "stopped with Ctrl+C", 130
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"error: {where}{error.strerror or error}", 1
    if isinstance(error, ImportError):
        return f"error: {missing_library(error) or error}", 1
    if isinstance(error, MemoryError):
        return "error: out of memory", 1
    return f"error: {type(error).__name__}: {error} (--debug shows where)", 1


@contextlib.contextmanager
def sigterm_exits() -> Iterator[None]:
    """Within it SIGTERM raises SystemExit with the shell's status for that signal."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own); returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in given
    if hasattr(sys.stdout, "reconfigure"):
        # A path may hold what the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        rewritten = modern(given)
        parser = build_parser(rewritten)
        arguments = parser.parse_args(rewritten)
        if arguments.command is None:
            parser.print_help()
            return 2
        with sigterm_exits():
            status = COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
        return status
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        # The reader (such as `head`) has gone; nor may Python fail when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as error:
        if debug:
            traceback.print_exc()
        text, status = explain(error)
        notice(" ".join(text.split()))
        return status
