# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in one call: `ffgan.load` and `ffgan.generate`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ffgan.model import DEFAULT_PRECISION, DEFAULT_TRIES, Model, Precision
from ffgan.typing import UInt8

_packaged: Model | None = None


def load(
    path: str | os.PathLike[str] | None = None, *, precision: Precision = DEFAULT_PRECISION
) -> Model:
    """Load a model file; without a path the model that comes with the package.

    ``precision`` "bf16" makes faces in about 0.6 of the time on processors with avx512_bf16; they
    differ by a few of 255 levels from those of "float32", which have the same bytes everywhere.

    Raises `ffgan.errors.ModelError` when the file is missing, damaged or of another kind, and
    `ffgan.errors.InstructionSetError` where bf16 cannot be computed.
    """
    return Model.load(path, precision=precision)


def generate(
    n: int = 1,
    seed: int | None = None,
    *,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    model: Model | str | os.PathLike[str] | None = None,
    change: Mapping[str, float] | None = None,
    hold: Sequence[str] = (),
    **wanted: object,
) -> UInt8:
    """Return n faces as (n, 162, 162, 3) uint8 RGB; image i is the face of seed + i.

    Without ``model``: the one that comes with the package, loaded once. See `Model.face` for the
    candidate search behind ``tries`` and ``threshold``.

    ``wanted``: attributes by name, such as ``age=60, smile=0.8, yaw=(-20, 20), gender="male"``; see
    `ffgan.control.Constraints.of` for the values. ``change``: by how much attributes are to differ
    from the seed's face without constraints. ``hold``: names of attributes to keep at its values. A
    face that cannot be brought to what is asked for comes as near as it gets, with a warning in the
    log ``ffgan.control``; `ffgan.control.faces` tells what was reached. Raises `ffgan.Error`.
    """
    global _packaged
    if model is None:
        if _packaged is None:
            _packaged = load()
        model = _packaged
    elif not isinstance(model, Model):
        model = load(Path(model))
    if not (wanted or change or hold):
        return model.generate(n, seed, tries=tries, threshold=threshold, truncation=truncation)
    from ffgan import control  # not needed for free faces

    return control.generate(
        model,
        n,
        seed,
        control.Constraints.of(wanted, change),
        tries=tries,
        threshold=threshold,
        truncation=truncation,
        hold=hold,
    )
