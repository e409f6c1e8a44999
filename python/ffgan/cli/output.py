# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command prints: notices on the standard error, and counted things."""

from __future__ import annotations

import sys


def notice(text: str) -> None:
    print(f"ffgan: {text}", file=sys.stderr, flush=True)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
