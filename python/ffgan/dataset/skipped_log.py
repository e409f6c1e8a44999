# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of files that could not be used."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ffgan.dataset.names import printable


class SkippedLog:
    """A text file of names and reasons, separated by a tab; each name is written once.

    ``failure`` says why lines are missing, where the file could not be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure = ""
        self._logged: set[str] | None = None

    def add(self, name: bytes, reason: str) -> None:
        """Append a line, unless the name is there."""
        shown = printable(name)
        try:
            if self._logged is None:
                self._logged = set()
                # A resumed run meets the files again that the log already has.
                with contextlib.suppress(FileNotFoundError):
                    lines = self.path.read_text("utf-8", "replace").splitlines()
                    self._logged.update(line.partition("\t")[0] for line in lines)
            if shown not in self._logged:
                self._logged.add(shown)
                with self.path.open("a", encoding="utf-8") as log:
                    log.write(f"{shown}\t{printable(reason.encode())}\n")
        except OSError as error:
            self.failure = f"{self.path} is not complete: {error.strerror}"
