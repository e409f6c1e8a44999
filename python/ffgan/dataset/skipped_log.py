# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of files that could not be used."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ffgan.locations import printable


class SkippedLog:
    """A text file of names and reasons, separated by a tab; each name is written once.

    What cannot be written, since there is no folder for it yet or no room, is tried again with the
    next line. ``failure`` says why lines are missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure = ""
        self._logged: set[str] | None = None
        self._waiting: dict[str, str] = {}

    def add(self, name: bytes, reason: str) -> None:
        """Append a line, unless the name is there."""
        self._waiting.setdefault(printable(name), printable(reason.encode()))
        self.write()

    def write(self) -> None:
        """Append the lines that wait for it."""
        if not self._waiting:
            return
        try:
            if self._logged is None:
                logged: set[str] = set()
                # A resumed run meets the files again that the log already has.
                with contextlib.suppress(FileNotFoundError):
                    lines = self.path.read_text("utf-8", "replace").splitlines()
                    logged.update(line.partition("\t")[0] for line in lines)
                self._logged = logged
            new = {name: why for name, why in self._waiting.items() if name not in self._logged}
            if new:
                with self.path.open("a", encoding="utf-8") as log:
                    log.write("".join(f"{name}\t{reason}\n" for name, reason in new.items()))
        except OSError as error:
            self.failure = f"{self.path} is not complete: {error.strerror}"
            return
        self._logged.update(new)
        self._waiting.clear()
        self.failure = ""
