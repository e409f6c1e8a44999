# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says and shows: a reader who has gone costs it no step."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ffgan.progress import Progress, ShowProgress, show_nothing

logger = logging.getLogger("ffgan.training")


class Teller:
    """Logs lines to ``ffgan.training`` and calls ``show``; neither ends the run by a lost reader.

    A pipe without a reader, a closed terminal or a full disk below a log are of no concern to the
    work: the first one is logged, if it can be, and the run goes on. Any other exception is that of
    the caller, who may raise to stop.
    """

    def __init__(self, show: ShowProgress) -> None:
        self._show = show
        self._failed = False

    def show(self, progress: Progress) -> None:
        """Tell the caller how far the run is."""
        self._guarded(lambda: self._show(progress))

    def info(self, line: str) -> None:
        """Log what happens."""
        self._guarded(lambda: logger.info(line))

    def warning(self, line: str) -> None:
        """Log what the user should know."""
        self._guarded(lambda: logger.warning(line))

    def _guarded(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:
            if not _reader_is_gone(error):
                raise
            if not self._failed:
                self._failed = True
                self.warning(f"what the run says cannot be written ({error}); training goes on")


class Silent(Teller):
    """Of a rank that leaves it to the first one to say what happens."""

    def __init__(self) -> None:
        super().__init__(show_nothing)

    def _guarded(self, tell: Callable[[], None]) -> None:
        pass


def ended_alone(rank: int, error: BaseException) -> None:
    """Log, as an error, what the other ranks do not know of when it ends them."""
    text = str(error) or type(error).__name__
    logger.error(f"error: rank {rank}: {text}; all ranks end, the newest checkpoint is kept")


def _reader_is_gone(error: Exception) -> bool:
    # Closed files and what an encoding lacks are ValueErrors, and so is much else.
    closed = isinstance(error, ValueError) and "closed file" in str(error)
    return closed or isinstance(error, OSError | UnicodeEncodeError)
