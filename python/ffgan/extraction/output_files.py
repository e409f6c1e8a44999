# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in the output folder of `extract`: whole or not there, with errors that help."""

from __future__ import annotations

from pathlib import Path

from ffgan import storage
from ffgan.errors import Error


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file in the output folder, whole or not at all; raises `Error`.

    ``durable``: it is on the disk before this returns."""
    try:
        storage.write_atomically(path, content, durable=durable)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> Error:
    """The error of a file in the output folder that cannot be written."""
    return Error(
        f"cannot write {path}: {storage.reason(error)}; {storage.remedy(error)} and run the same "
        "command again, or give another output folder"
    )
