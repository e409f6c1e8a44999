# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard streams that never raise into the work: what is lost is kept as their `failure`.

A terminal that is closed, a reader that goes away (`| head`) or stops reading (Ctrl+S), a full disk
behind `2> log`, and streams that were closed from the start.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ffgan.cli.background_writer import PATIENCE, BackgroundWriter

# What another write may not meet: then the stream stays in use.
PASSING = (errno.EAGAIN, errno.EDQUOT, errno.EFBIG, errno.EINTR, errno.ENOSPC)
NO_READER = (errno.EPIPE, errno.ECONNRESET)
NO_TERMINAL = (errno.EIO, errno.ENXIO)  # of a file: the disk


class Stream:
    """A text stream in place of ``sys.stdout`` or ``sys.stderr``; anything else is the original's.

    ``failure`` is the first error of a write or flush, None so far. After an error that is for good
    everything goes to /dev/null, also what libraries of C write to the descriptor. Of ``notices``
    nothing is written from the background of a terminal with ``stty tostop``, which would stop the
    process, and nobody waits long for a reader of them.
    """

    def __init__(self, stream: Any, *, notices: bool = False) -> None:
        self._stream = stream
        self._notices = notices
        self._terminal = _is_terminal(stream)
        self._writer: BackgroundWriter | None = None
        self.failure: OSError | ValueError | None = None
        if notices:
            self.report(PATIENCE)

    def report(self, patience: float) -> None:
        """From now on wait no longer than ``patience`` seconds for a reader.

        What is written then only reports of work that must go on; of what nobody reads, much is
        kept and the rest is lost.
        """
        if _may_block(self._stream):
            self.flush()
            self._writer = self._writer or BackgroundWriter(self._stream.fileno())
            self._writer.patience = patience

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, as far as that is possible; returns the number of characters."""
        if not (self._notices and stops_background(self._stream)):
            try:
                if self._writer is None:
                    self._stream.write(text)
                else:
                    self._writer.write(text.encode(self._stream.encoding, "backslashreplace"))
            except (OSError, ValueError) as error:  # ValueError: it is closed
                self._fail(error)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Bring what was written to the descriptor, as far as that is possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._fail(error)

    def finish(self) -> None:
        """Flush for the last time and drop the rest, at which Python's own end would fail."""
        if self._writer is not None:
            self._writer.finish()
        before, self.failure = self.failure, None
        self.flush()
        if self.failure is not None:
            self._drop()
        self.failure = before or self.failure

    @property
    def reader_is_gone(self) -> bool:
        """Whether nobody reads any more, as after `| head` or in a closed terminal."""
        gone = (*NO_READER, *NO_TERMINAL) if self._terminal else NO_READER
        return isinstance(self.failure, OSError) and self.failure.errno in gone

    def _fail(self, error: OSError | ValueError) -> None:
        self.failure = self.failure or error
        if not (isinstance(error, OSError) and error.errno in PASSING):
            self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()
            return
        self._stream = io.StringIO()  # there is no descriptor


@contextlib.contextmanager
def safe_streams() -> Iterator[tuple[Stream, Stream]]:
    """Within it ``sys.stdout`` and ``sys.stderr`` are a `Stream` each; those are given.

    Standard streams that were closed from the start lead to /dev/null.
    """
    open_descriptors()
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w") as null:
        out = Stream(sys.stdout or null)
        err = Stream(sys.stderr or null, notices=True)
        if hasattr(out, "reconfigure"):
            # A path may hold what the terminal's encoding lacks.
            out.reconfigure(errors="backslashreplace")
        sys.stdout, sys.stderr = cast(Any, (out, err))
        try:
            yield out, err
        finally:
            out.finish()
            err.finish()
            sys.stdout, sys.stderr = before


def never_wait() -> None:
    """From now on nothing waits for a reader: what a server prints only reports."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Stream):
            stream.report(0)


def open_descriptors() -> None:
    """Open the descriptors 0, 1 and 2 that are closed, on /dev/null.

    Else the next file that is opened would get the number, and what is printed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _may_block(stream: Any) -> bool:
    """Whether a write waits for a reader; on Windows nobody can tell."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    waits = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or _is_terminal(stream)
    return os.name == "posix" and waits


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # ValueError: it is closed
        return False


def in_background(stream: Any) -> bool:
    """Whether ``stream`` is this process's terminal, and another job has it at the moment."""
    try:
        descriptor = stream.fileno()
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) != os.getpgrp()
    except (OSError, ValueError, AttributeError):  # also: not the terminal of this session
        return False


def stops_background(stream: Any) -> bool:
    """Whether writing to ``stream`` would stop this process."""
    if not in_background(stream):
        return False
    import termios

    try:
        modes: int = termios.tcgetattr(stream.fileno())[3]
    except termios.error:
        return False
    return bool(modes & termios.TOSTOP)
