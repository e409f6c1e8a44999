# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the folder of a set beside its shards: settings, plan, sums of its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ffgan import images
from ffgan.errors import Error, UsageError
from ffgan.model import Model
from ffgan.synthesis import records
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.steering import steered_cells
from ffgan.synthesis.store import PRIVATE, Store
from ffgan.synthesis.writers import writer

FORMAT: Final = 1
SETTINGS: Final = f"{PRIVATE}/settings.json"
STEERED: Final = f"{PRIVATE}/steered.json"
SUMS: Final = "SHA256SUMS"
CARD: Final = "README.md"


def made_with(settings: Settings) -> dict[str, str]:
    """The libraries, with versions, that decide the bytes of files."""
    chosen = writer(settings.format)
    encoder = {"encoder": images.encoder()} if chosen.encodes else {}
    return {**encoder, **chosen.made_with()}


def claim(store: Store, model: Model, settings: Settings) -> None:
    """Take the folder for a set of these settings, or find that it holds one of them.

    Raises `UsageError` for a folder of something else, with the first difference.
    """
    mine: dict[str, Any] = {
        "format_version": FORMAT,
        "model": model.faces_id,
        **settings.described(),
        **made_with(settings),
    }
    content = store.read(SETTINGS)
    if content is None:
        if store.create(SETTINGS, json.dumps(mine, indent=1).encode() + b"\n"):
            return
        content = store.read(SETTINGS)  # of somebody who has begun at the same time
    there = None if content is None else _decoded(content)
    if there is None:
        raise UsageError(f"{store}: {SETTINGS} is damaged: give another folder")
    for name in {**mine, **there}:
        if mine.get(name) != there.get(name):
            raise UsageError(
                f"{store} holds a data set made otherwise ({name} {_shown(there.get(name))}, not "
                f"{_shown(mine.get(name))}): give another folder"
            )


def steered(store: Store, model: Model, settings: Settings) -> frozenset[int]:
    """The cells that are steered, found once for a set. Raises as `steered_cells`."""
    content = store.read(STEERED)
    if content is not None and (found := _decoded(content)) is not None:
        return frozenset(int(cell) for cell in found["cells"])
    cells = steered_cells(model, settings)
    if settings.drawing == "auto":
        store.write(STEERED, json.dumps({"cells": sorted(cells)}).encode())
    return cells


def begin(store: Store) -> None:
    """Remove what is there of whole sets only."""
    store.remove(CARD)
    store.remove(SUMS)


def is_whole(store: Store) -> bool:
    return store.size(CARD) is not None and store.size(SUMS) is not None


def write_sums(store: Store, every: Iterable[Shard]) -> None:
    """Write the sums of all files of a whole set, as ``sha256sum -c`` reads them."""
    shared: set[str] = set()
    with store.file(SUMS) as sink:
        for shard, record in records.found(store, every):
            if record is None:
                raise Error(
                    f"{store}: a file or the record of shard {shard.name} has gone since it was "
                    "made: see that nobody else writes there, and run the same command again"
                )
            for one in record.files:
                if not one.sha256:  # it has rows of several shards
                    if one.name in shared:
                        continue
                    shared.add(one.name)
                    one = store.sum(one.name)
                sink.write(f"{one.sha256}  {one.name}\n".encode())


def _decoded(content: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
