# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan train`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from ffgan.cli.options import Option, add_fields
from ffgan.cli.output import notice
from ffgan.cli.parser import Command, Parser

EXAMPLES = """\
examples:
  ffgan train photos                          go on with runs/photos, else from the packaged model
  ffgan train photos --dry-run                the settings and the estimated time, nothing else
  ffgan train photos --init scratch --name a --minutes 120
  ffgan train photos --augment all --flip --ema 0.9995
  ffgan train photos --steps 10000 --batch 32 --learning-rate-d 1e-4

Ctrl+C finishes the step and writes a checkpoint; the same command again goes on from there."""

OPTIONS = {
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
            "1000 with --heldout",
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


def add_options(parser: Parser) -> None:
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
    add_fields(parser, Settings, OPTIONS)


def run(arguments: argparse.Namespace) -> int:
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


COMMAND = Command(
    "train on a folder of pictures",
    "Train, or go on training, on all pictures in a folder and its subfolders.",
    EXAMPLES,
    add_options,
    run,
)
