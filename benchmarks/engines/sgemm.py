# SPDX-License-Identifier: GPL-3.0-or-later
"""The yardstick: a product of two large float32 matrices, by NumPy's BLAS or by PyTorch's.

Timed: 2048 x 2048 times 2048 x 2048, into a matrix that is there already.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure.computation import Computation
from benchmarks.output.rows import SGEMM_SIZE, Task


class Sgemm(Computation):
    def __init__(self, folder: Path, threads: int, library: str) -> None:
        super().__init__(folder, threads)
        self.library = library
        self.multiply: Callable[[], Any] = lambda: None

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__} if self.library == "numpy" else {}

    def prepare(self, task: Task) -> None:
        random = np.random.default_rng(0)
        a, b = random.standard_normal((2, SGEMM_SIZE, SGEMM_SIZE)).astype(np.float32)
        out = np.empty_like(a)
        if self.library == "numpy":
            self.multiply = lambda: np.matmul(a, b, out=out)
            return
        import torch

        torch.set_num_threads(self.threads)
        left, right, product = map(torch.from_numpy, (a, b, out))
        self.multiply = lambda: torch.mm(left, right, out=product)

    def run(self) -> Any:
        return self.multiply()

    def check(self, task: Task) -> NDArray[Any]:
        raise NotImplementedError


def create(variant: str, folder: Path, threads: int, _precision: str) -> Computation:
    return Sgemm(folder, threads, variant)
