# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of a place: a folder, or a URL that fsspec knows."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ffgan.locations import Url
from ffgan.locations.location import GivenPlace, place
from ffgan.synthesis.local_store import LocalStore
from ffgan.synthesis.remote_store import RemoteStore
from ffgan.synthesis.store import Store


def store(out: GivenPlace) -> Store:
    """Return the store of a path or URL. Raises as `ffgan.locations.filesystem`."""
    there = place(out)
    if not isinstance(there, Url):
        return LocalStore(there)
    if there.scheme == "file":
        return LocalStore(Path(unquote(urlsplit(there.text).path) or "/"))
    return RemoteStore(there)
