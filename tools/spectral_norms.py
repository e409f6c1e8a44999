#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train with spectral norms of the discriminator that cannot grow: an experiment.

    python tools/spectral_norms.py DIR [the options of `python -m ffgan train`]

After each step every weight of the discriminator whose spectral norm is above that of its first
step is scaled back to it (after Miyato et al. 2018, where the norms are 1), and the factors of the
fixed norms are clipped to theirs: a bound of its slope stays that of the start. Train in one go; a
run that goes on takes the norms that it finds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffgan import cli
from ffgan.training import trainer

Float32 = NDArray[np.float32]

FIRST_ITERATIONS = 50
ITERATIONS = 2


class PowerIteration:
    """The largest singular value of a matrix that changes little from call to call."""

    def __init__(self, rows: int) -> None:
        self._left = np.random.default_rng(7).standard_normal(rows).astype(np.float32)

    def __call__(self, matrix: Float32, iterations: int) -> float:
        norm = 0.0
        for _ in range(iterations):
            right = matrix.T @ self._left
            self._left = matrix @ (right / np.linalg.norm(right))
            norm = float(np.linalg.norm(self._left))
            self._left /= np.float32(norm)
        return norm


class HeldNorms:
    """A trainer whose discriminator keeps to the norms that it has after its first step."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._iterations: dict[str, PowerIteration] = {}
        self._limits: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def step(self, *arguments: Any, **more: Any) -> Any:
        """One step of the trainer, and then the discriminator is held."""
        result = self._trainer.step(*arguments, **more)
        parameters = self._trainer.parameters("discriminator")
        held = {name: self._held(name, tensor) for name, tensor in parameters.items()}
        self._trainer.set_parameters("discriminator", held)
        return result

    def _held(self, name: str, tensor: Float32) -> Float32:
        if not name.endswith(".weight"):
            return tensor
        if tensor.ndim == 1:  # the factors of a norm
            limit = self._limits.setdefault(name, float(np.abs(tensor).max()))
            return np.clip(tensor, -limit, limit)
        matrix = tensor.reshape(len(tensor), -1)
        if name not in self._limits:
            self._iterations[name] = PowerIteration(len(matrix))
            self._limits[name] = self._iterations[name](matrix, FIRST_ITERATIONS)
        norm = self._iterations[name](matrix, ITERATIONS)
        return tensor * np.float32(min(1.0, self._limits[name] / norm))


def main() -> int:
    make = trainer.make_trainer
    # What the command makes its trainer with.
    trainer.make_trainer = lambda settings: HeldNorms(make(settings))  # type: ignore[assignment, return-value]
    return cli.main(["train", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
