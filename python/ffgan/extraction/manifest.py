# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: all detected faces as CSV, with their places, measures, and reasons."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from typing import Final

from ffgan.dataset import printable
from ffgan.extraction.journal import Photo

COLUMNS: Final = (
    "photo",
    "face",
    "reason",
    "same_as",
    "person",
    "embedding",
    "left",
    "top",
    "right",
    "bottom",
    "confidence",
    "side",
    "outside",
    "yaw",
    "pitch",
    "roll",
    "sharpness",
    "light",
    "contrast",
    "colour",
    "hash",
    "landmarks",
)
"""``face``: the file, empty for one that is left out. ``embedding``: the row of embeddings.npy.

Places are in pixels of the upright photograph; ``landmarks`` are "x y" pairs, with semicolons.
"""


def manifest(photos: Sequence[Photo], format: str) -> str:
    """Return the CSV of the faces of ``photos``, whose chips are files of ``format``."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    stored = 0
    for photo in photos:
        for index, face in enumerate(photo.faces):
            row = None
            if face.embedding is not None:
                row, stored = stored, stored + 1
            scale = photo.scale
            points = (face.points * scale).tolist()
            table.writerow(
                (
                    _name(photo.name),
                    "" if face.reason else _name(photo.chip(index, format)),
                    face.reason,
                    _name(face.same_as),
                    face.person,
                    row,
                    *(side * scale for side in face.box),
                    face.confidence,
                    round(face.square[2] * scale, 1),
                    face.outside,
                    *face.pose,
                    *face.appearance,
                    face.hash.hex(),
                    ";".join(f"{x} {y}" for x, y in points),
                )
            )
    return text.getvalue()


def _name(name: str) -> str:
    return printable(os.fsencode(name))
