# SPDX-License-Identifier: GPL-3.0-or-later
"""What a target of the fuzzing is: one reader, the files it reads, and what it may use."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, ClassVar

from ffgan.errors import Error

MEBIBYTE = 1 << 20


class Target:
    """A reader; ``prepare`` comes first, then for each input `input`, `bound` and `run`."""

    name: ClassVar[str]
    own: ClassVar[tuple[type[Exception], ...]] = (Error,)
    """What it raises for what it refuses."""

    def prepare(self, folder: Path) -> None:
        """Make the valid files that are mutated; ``folder`` is for the files that are read."""
        self.folder = folder

    def input(self, random: Random) -> Any:
        """One mutated input."""
        raise NotImplementedError

    def run(self, data: Any) -> None:
        """Read it, and use what was read; a child of ffgan.Error says that it is refused."""
        raise NotImplementedError

    def bound(self, data: Any) -> int:
        """The bytes of memory that it may take: some times its size, and what a first use loads."""
        return 16 * MEBIBYTE + 40 * len(data)
