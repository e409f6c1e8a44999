# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command prints: notices on the standard error."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ffgan.cli.streams import in_background
from ffgan.errors import Error, UsageError


def notice(text: str) -> None:
    say(f"ffgan: {text}")


def say(line: str) -> None:
    """Print a line on the standard error: above a bar, and also in the background, without it."""
    stream: Any = sys.stderr
    terminal = getattr(stream, "rich_proxied_file", stream)
    print(line, file=terminal if in_background(terminal) else stream, flush=True)


def make_folder(folder: Path) -> None:
    """Make the folder of --out, so that a wrong one is found before long work is done for it.

    Raises `UsageError` and `Error`.
    """
    from ffgan import storage  # which imports NumPy: see ffgan.cli.commands

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{folder} is not a folder: give another --out") from None
    except OSError as error:
        raise Error(
            f"cannot make the folder {folder}: {storage.reason(error)}; "
            + storage.way_out(error, "give another --out")
        ) from None
    if not os.access(folder, os.W_OK):
        raise Error(f"the folder {folder} is not writable: give another --out")


@contextlib.contextmanager
def shown_log(
    name: str, say: Callable[[str], None] = notice, *, level: int = logging.INFO
) -> Iterator[None]:
    """Within it what the library logs under `name`, from the level on, is said."""

    class Saying(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    logger, handler = logging.getLogger(name), Saying()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
