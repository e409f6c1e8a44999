# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of an earlier run that are not found any more: gone, or only out of reach.

Gone is what its folder, which can be read, does not have. A folder without rights, a drive that is
not mounted, a link that leads nowhere say nothing about the photographs behind them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Final

from ffgan import storage
from ffgan.dataset import ImageFolder

GONE: Final = ""
EMPTY: Final = (
    "its folder is empty, like one where a drive is not mounted; if the photographs are gone for "
    "good, delete that folder too"
)
NOWHERE: Final = "the link leads nowhere"


def absence(folder: ImageFolder) -> Callable[[str], str]:
    """A function that says of a photograph that is not in ``folder`` why it is out of reach.

    It returns nothing, `GONE`, for one that is gone.
    """
    if folder.root is None:
        return lambda name: GONE  # an archive is there as a whole
    root = os.fsencode(folder.root)
    unreadable = {name.rstrip(b"/"): reason for name, reason in folder.unreadable}

    @functools.cache
    def of_folder(name: bytes) -> str | None:
        """The reason of all below a folder, None where it can be read."""
        if not name:
            return None
        return state(name, os.path.isdir)

    def state(name: bytes, is_there: Callable[[bytes], bool]) -> str | None:
        if (reason := of_folder(os.path.dirname(name))) is not None:
            return reason
        if name in unreadable:
            return unreadable[name]
        path = os.path.join(root, name)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return EMPTY if _is_empty(root, os.path.dirname(name)) else GONE
        except OSError as error:
            return storage.reason(error)
        try:
            os.stat(path)
        except FileNotFoundError:
            return NOWHERE
        except OSError as error:
            return storage.reason(error)
        return None if is_there(path) else GONE

    # One that is there after all is found by another name, through a link.
    return lambda name: state(os.fsencode(name), os.path.exists) or GONE


def _is_empty(root: bytes, name: bytes) -> bool:
    """Whether a folder below ``root`` holds nothing, or only hidden files."""
    if not name:
        return False
    try:
        with os.scandir(os.path.join(root, name)) as entries:
            return all(entry.name.startswith(b".") for entry in entries)
    except OSError:
        return True
