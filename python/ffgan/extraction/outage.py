# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs that cannot be read at the moment: a few are passed over, an outage is waited for."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final

from ffgan import storage
from ffgan.dataset import ImageFolder
from ffgan.dataset.availability import Availability
from ffgan.errors import DatasetError, UnavailableError
from ffgan.interruption import Interruption

MANY: Final = 8
"""So many photographs in a row that cannot be read are taken for an outage."""

_OTHERS: Final = 16
"""Others that are tried before waiting: one that can be read shows that there is no outage."""

_NO_RIGHT: Final = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Unread:
    """A photograph that could not be read, and why; ``alone``: no sign that others cannot be."""

    name: str
    reason: str
    alone: bool


def unread(folder: ImageFolder, name: str, error: UnavailableError) -> Unread:
    """What an error while photograph ``name`` below ``folder`` was read says."""
    cause = error.__cause__
    if isinstance(cause, DatasetError):
        return Unread(name, str(cause), True)
    if not isinstance(cause, OSError):
        return Unread(name, str(error).rpartition(": ")[2], folder.root is not None)
    # One photograph may have no rights or be deleted meanwhile; of an archive that says it of all.
    alone = cause.errno in _NO_RIGHT and folder.root is not None
    if cause.errno == errno.ENOENT and folder.root is not None:
        above = os.path.dirname(os.fsencode(folder.root / name))
        try:
            alone = bool(os.listdir(above))
        except OSError:
            alone = False
    return Unread(name, storage.reason(cause), alone)


class Outage:
    """Notices when photographs cannot be read one after another, and waits until they can.

    ``interruption`` ends the waiting.
    """

    def __init__(self, folder: ImageFolder, interruption: Interruption) -> None:
        self._folder = folder
        self._interruption = interruption
        self._availability = Availability(interrupted=lambda: interruption.received is not None)
        self._in_a_row = 0

    def saw(self, photo: Unread | None) -> None:
        """Take note of a photograph that could not be read, or of one that could: None.

        Raises UnavailableError when nothing can be read for longer than `Availability` waits.
        """
        if photo is None:
            self._in_a_row = 0
            return
        if photo.alone:
            return
        self._in_a_row += 1
        if self._in_a_row >= MANY or not self._folder.is_there():
            try:
                self._availability.wait_for(lambda: self._any_of(photo.name))
            except UnavailableError:
                if self._interruption.received is None:
                    raise
            self._in_a_row = 0

    def _any_of(self, name: str) -> None:
        """Raise UnavailableError where neither photograph ``name`` nor any of some can be read."""
        names = self._folder.names
        first = names.index(os.fsencode(name))
        others = range(0, len(names), max(1, len(names) // _OTHERS))
        failure: UnavailableError | None = None
        for index in (first, *others):
            try:
                self._folder.read(index, 1)
                return
            except UnavailableError as error:
                failure = failure or error
        assert failure is not None
        raise failure
