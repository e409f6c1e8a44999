# SPDX-License-Identifier: GPL-3.0-or-later
"""ffgan: faces of people who do not exist, by a DCGAN on dlib.

Examples:
    >>> import ffgan
    >>> faces = ffgan.generate(2, seed=7)
    >>> faces.shape, faces.dtype
    ((2, 162, 162, 3), dtype('uint8'))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ffgan import _build, _cpu, _openblas

_cpu.check(_build.CPU_FLAGS, _build.ARCH)  # before the first instruction that could be missing

with _openblas.sleeping_threads():
    from ffgan import _core

if TYPE_CHECKING:
    from ffgan.control import identities
    from ffgan.errors import Error
    from ffgan.extraction import extract
    from ffgan.model import Face, Model
    from ffgan.packaged import generate, load
    from ffgan.projection import project
    from ffgan.training import train

__version__ = _core.__version__
__all__ = [
    "Error",
    "Face",
    "Model",
    "__version__",
    "extract",
    "generate",
    "identities",
    "load",
    "project",
    "train",
]

# Where the names are. Each brings along what the others may not need: NumPy, OpenCV.
_HOMES = {
    "Error": "errors",
    "Face": "model",
    "Model": "model",
    "extract": "extraction",
    "generate": "packaged",
    "identities": "control",
    "load": "packaged",
    "project": "projection",
    "train": "training",
}
_MODULES = ("errors", "latent", "model", "shapes", "storage", "typing")
"""Reached as attributes, too, without an import of their own."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
