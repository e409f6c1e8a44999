# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan import` and `ffgan export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ffgan.cli.options import MODEL_HELP
from ffgan.cli.parser import Command, Parser, local_path
from ffgan.errors import UsageError
from ffgan.model import Model

IMPORT_EXAMPLES = """\
example:
  ffgan import dcgan_162x162_synth_faces.dnn
  ffgan import dcgan_162x162_synth_faces.dnn.bz2 faces.safetensors"""

EXPORT_EXAMPLES = """\
examples:
  ffgan export faces.dnn
  ffgan export faces.onnx --model runs/photos/model.safetensors"""


def add_import_options(parser: Parser) -> None:
    parser.add_argument(
        "source", metavar="FILE.dnn", type=local_path, help="the original's model file"
    )
    parser.add_argument(
        "target",
        metavar="OUT.safetensors",
        type=local_path,
        nargs="?",
        help="the file to write (default: FILE.safetensors, here)",
    )


def run_import(arguments: argparse.Namespace) -> int:
    source: Path = arguments.source
    target = arguments.target or Path(source.name.removesuffix(".bz2")).with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise UsageError(f"{target} must end in .safetensors")
    from ffgan.model.dnn import import_dnn

    import_dnn(source, target)
    print(f"model: {target}")
    return 0


def add_export_options(parser: Parser) -> None:
    parser.add_argument(
        "target", metavar="OUT.dnn|OUT.onnx", type=local_path, help="the file to write"
    )
    parser.add_argument("--model", metavar="FILE", type=local_path, help=MODEL_HELP)


def run_export(arguments: argparse.Namespace) -> int:
    from ffgan.model.dnn import export_dnn
    from ffgan.model.onnx import export_onnx

    writers = {".dnn": export_dnn, ".onnx": export_onnx}
    writer = writers.get(arguments.target.suffix)
    if writer is None:
        raise UsageError(f"{arguments.target} must end in .dnn or .onnx")
    writer(Model.load(arguments.model), arguments.target)
    print(f"written: {arguments.target}")
    return 0


IMPORT = Command(
    "Turn a .dnn file of the original FFgan into a model file of this program.",
    IMPORT_EXAMPLES,
    add_import_options,
    run_import,
)


EXPORT = Command(
    "Write a model as .dnn, which a plain dlib program loads, or as .onnx.",
    EXPORT_EXAMPLES,
    add_export_options,
    run_export,
)
