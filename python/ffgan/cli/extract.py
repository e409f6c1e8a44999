# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan extract`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ffgan.cli.options import MAX_COUNT, MAX_SIZE, add_threads, use_threads
from ffgan.cli.parser import Command, Parser, integer, number

EXAMPLES = """\
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


def add_options(parser: Parser) -> None:
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
        help=f"added around the face on each side; for dlib only (default: {framing.DLIB_PADDING})",
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


def run(arguments: argparse.Namespace) -> int:
    from ffgan import extraction

    use_threads(arguments)
    settings = {
        name: value for name, value in vars(arguments).items() if name not in ("command", "debug")
    }
    result = extraction.extract(**settings)
    print(extraction.table(result, arguments.out, dry_run=arguments.dry_run))
    return 0


COMMAND = Command(
    "cut the faces out of photographs",
    "Find the faces in all photographs of a folder, cut them out upright, leave out bad ones.",
    EXAMPLES,
    add_options,
    run,
)
