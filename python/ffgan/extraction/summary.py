# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of an extraction, and its table of text."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ffgan.images import COLOUR_NOTES, Colours

SKIPPED: Final = "skipped.log"


@dataclass(frozen=True)
class Extracted:
    """What `extract` did. ``reasons``: faces left out, by reason, in the order of `REASONS`.

    ``found`` and ``kept`` faces of ``photos``, ``broken`` of which could not be read; ``looked_at``
    of them in this run. ``people``: clusters, None without embeddings. ``summary``: the files below
    the folder. ``colours``: photographs that are not in sRGB, by what became of their colours.
    """

    photos: int
    broken: int
    looked_at: int
    found: int
    kept: int
    reasons: dict[str, int]
    people: int | None
    summary: str
    colours: dict[Colours, int] = field(default_factory=dict)


def table(result: Extracted, out: str | os.PathLike[str], *, dry_run: bool = False) -> str:
    """Return what `extract` did as lines of text."""
    lines = [result.summary]
    if result.broken:
        where = "" if dry_run else f", see {Path(out) / SKIPPED}"
        lines.append(f"{result.broken:,} cannot be read{where}")
    lines += [
        f"{count:,} photographs {COLOUR_NOTES[what]}" for what, count in result.colours.items()
    ]
    if earlier := result.photos - result.looked_at:
        lines.append(f"{earlier:,} were processed by an earlier run")
    rows = [("faces found", result.found), *result.reasons.items(), ("faces kept", result.kept)]
    if result.people is not None:
        rows.append(("people", result.people))
    width = max(len(name) for name, _ in rows)
    lines += [f"  {name:<{width}}  {count:>9,}" for name, count in rows]
    lines.append("nothing written" if dry_run else f"faces: {out}")
    return "\n".join(lines)
