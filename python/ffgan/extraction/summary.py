# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of an extraction, and its table of text."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ffgan.images import COLOUR_NOTES, Colours
from ffgan.wording import counted

SKIPPED: Final = "skipped.log"
WITHOUT_FACE: Final = "no-face.txt"


@dataclass(frozen=True)
class Extracted:
    """What `extract` did. ``reasons``: faces left out, by reason, in the order of `REASONS`.

    ``found`` and ``kept`` faces of ``photos``, ``broken`` of which are no images or damaged;
    ``looked_at`` of them in this run. ``people``: clusters, None without embeddings. ``summary``:
    the files below the folder. ``colours``: photographs that are not in sRGB, by what became of
    their colours. ``without_face``: photographs without one. ``turned``: faces kept that lay on
    their side or upside down. ``unavailable``: photographs that could not be read in this run and
    are tried again by the next one. ``away``: photographs of an earlier run that are out of reach,
    whose faces stay.
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
    without_face: int = 0
    turned: int = 0
    unavailable: int = 0
    away: int = 0


def table(result: Extracted, out: str | os.PathLike[str], *, dry_run: bool = False) -> str:
    """Return what `extract` did as lines of text."""
    lines = [result.summary]
    where = "" if dry_run else f", see {Path(out) / SKIPPED}"
    if result.broken:
        lines.append(f"{result.broken:,} cannot be read{where}")
    if result.unavailable:
        lines.append(
            f"{result.unavailable:,} cannot be read now{where}: the same command tries them again"
        )
    if result.away:
        lines.append(
            f"{result.away:,} of an earlier run are out of reach{where}: their faces are kept"
        )
    lines += [
        f"{counted(count, 'photograph')} {COLOUR_NOTES[what]}"
        for what, count in result.colours.items()
    ]
    if earlier := result.photos - result.looked_at - result.unavailable:
        lines.append(f"{earlier:,} {'was' if earlier == 1 else 'were'} processed by an earlier run")
    rows = [("faces found", result.found), *result.reasons.items(), ("faces kept", result.kept)]
    if result.turned:
        rows.append(("of them turned upright", result.turned))
    if result.people is not None:
        rows.append(("people", result.people))
    rows.append(("photographs without a face", result.without_face))
    width = max(len(name) for name, _ in rows)
    lines += [f"  {name:<{width}}  {count:>9,}" for name, count in rows]
    lines.append("nothing written" if dry_run else f"faces: {out}")
    return "\n".join(lines)
