# SPDX-License-Identifier: GPL-3.0-or-later
"""Where data lie, here or behind a URL, and reading files there at any place."""

from ffgan.locations.files import LocalFile, RandomAccess, Scratch, as_file, cannot_read
from ffgan.locations.location import (
    GivenPlace,
    Location,
    Url,
    expand_braces,
    locate,
    place,
    printable,
    shown,
)
from ffgan.locations.remote import RemoteFile, RemoteTree, filesystem, matching

__all__ = [
    "GivenPlace",
    "LocalFile",
    "Location",
    "RandomAccess",
    "RemoteFile",
    "RemoteTree",
    "Scratch",
    "Url",
    "as_file",
    "cannot_read",
    "expand_braces",
    "filesystem",
    "locate",
    "matching",
    "place",
    "printable",
    "shown",
]
