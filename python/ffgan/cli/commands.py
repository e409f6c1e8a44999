# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands by name; the module of one is imported when it is used, so none waits for others."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import NamedTuple, cast

from ffgan import _openblas
from ffgan.cli.parser import Command


class Listed(NamedTuple):
    """A command's line in the overview, and what imports the rest."""

    summary: str
    load: Callable[[], Command]


def _listed(summary: str, module: str, name: str = "COMMAND", *, numpy: bool = True) -> Listed:
    """``numpy``: whether the command computes much with NumPy, whose threads then stay awake."""

    def load() -> Command:
        with contextlib.nullcontext() if numpy else _openblas.sleeping_threads():
            found = importlib.import_module(f"ffgan.cli.{module}")
        return cast(Command, getattr(found, name))

    return Listed(summary, load)


COMMANDS = {
    "train": _listed("train on a folder of pictures", "train"),
    "gen": _listed("draw faces", "gen", numpy=False),
    "dataset": _listed("make a data set of labelled faces", "dataset"),
    "web": _listed("serve faces to browsers", "web"),
    "explore": _listed("explore the latent space in the browser", "explore"),
    "info": _listed("print the networks, the model, the engine", "info"),
    "attributes": _listed("measure what faces look like", "attributes"),
    "evaluate": _listed("measure how good a model is", "evaluate"),
    "audit": _listed("find out whether a model copies", "audit"),
    "extract": _listed("cut the faces out of photographs", "extract"),
    "project": _listed("find the face nearest to a photograph", "project"),
    "pack": _listed("make one file of a folder of pictures", "pack"),
    "fit-attributes": _listed("learn to draw faces with asked-for attributes", "fit_attributes"),
    "import": _listed("read a model file of the original FFgan", "convert", "IMPORT"),
    "export": _listed("write a model for dlib or ONNX", "convert", "EXPORT"),
}
