# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command prints: notices on the standard error, and counted things."""

from __future__ import annotations

import logging
import sys


def notice(text: str) -> None:
    print(f"ffgan: {text}", file=sys.stderr, flush=True)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def show_log(name: str) -> None:
    """Print what the library logs under `name` as notices, from the level INFO on."""
    logger = logging.getLogger(name)
    if not any(isinstance(handler, _Notices) for handler in logger.handlers):
        logger.addHandler(_Notices())
    logger.setLevel(logging.INFO)


class _Notices(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        notice(record.getMessage())
