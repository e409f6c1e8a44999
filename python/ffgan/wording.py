# SPDX-License-Identifier: GPL-3.0-or-later
"""Counted things in words."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun, as in "1 image" and "1,200 images"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
