# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that have a row for each image, which is called by its name in the data set."""

from __future__ import annotations

from collections.abc import Sequence

from ffgan.errors import DatasetError, UsageError


def rows_of(names: Sequence[bytes], known: Sequence[str], *, given: str, noun: str) -> list[int]:
    """The row of each image, given the names of all rows.

    ``given`` is the option with its file, and ``noun`` what the file has of each image, for the
    lines of UsageError, where a name comes twice, and of DatasetError, where an image is lacking.
    """
    rows = {name: row for row, name in enumerate(known)}
    if len(rows) < len(known):
        raise UsageError(f"{given} has a name twice: each image has one {noun}")
    chosen = [rows.get(name.decode(errors="surrogateescape"), -1) for name in names]
    lacking = chosen.count(-1)
    if lacking:
        first = names[chosen.index(-1)].decode(errors="backslashreplace")
        raise DatasetError(
            f"{given} lacks {lacking} of {len(names)} images, such as {first}: add their "
            f"{noun}s, or train on the other images"
        )
    return chosen
