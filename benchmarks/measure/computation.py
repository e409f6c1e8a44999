# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine must be able to do, inside a worker."""

from __future__ import annotations

import resource
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks.output.rows import Task


class Computation(ABC):
    """One engine, set up for one task after another, on a fixed number of threads."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.folder = folder
        self.threads = threads

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """The versions of what computes, by package."""

    @abstractmethod
    def prepare(self, task: Task) -> None:
        """Do once what `run` should not: load, fold, compile, allocate inputs."""

    @abstractmethod
    def run(self) -> Any:
        """What is timed, once."""

    @abstractmethod
    def check(self, task: Task) -> NDArray[Any]:
        """After `prepare`: what must agree with ffgan's, for the inputs that are timed.

        Images (batch, 3, 162, 162), logits (batch,), probabilities (batch, classes), or D's and G's
        loss of one training step without dropout from the first weights; of a recipe's step
        `recipe.MEASURES`.
        """

    def measure(self, iterations: int) -> list[float]:
        """Run so many times; the seconds of each."""
        seconds = []
        for _ in range(iterations):
            began = time.perf_counter()
            self.run()
            seconds.append(time.perf_counter() - began)
        return seconds

    def peak_memory(self) -> int:
        """The largest resident set so far, in bytes."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def close(self) -> None:  # noqa: B027  (most have nothing to end)
        """Ends what the engine started."""
