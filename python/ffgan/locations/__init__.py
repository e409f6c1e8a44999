# SPDX-License-Identifier: GPL-3.0-or-later
"""Where data lie, here or behind a URL, and reading files there at any place."""

from ffgan.locations.files import LocalFile, RandomAccess, Scratch, as_file, cannot_read
from ffgan.locations.location import Location, expand_braces, locate, printable, shown

__all__ = [
    "LocalFile",
    "Location",
    "RandomAccess",
    "Scratch",
    "as_file",
    "cannot_read",
    "expand_braces",
    "locate",
    "printable",
    "shown",
]
