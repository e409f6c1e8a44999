# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the files of faces: a function of the photograph's name, so that they never move.

They have no dot but that of their ending: webdataset takes what stands before the first dot for the
name of a sample, and all faces of a photograph would be one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Final

SCHEME: Final = 2
"""How faces are named. The first versions wrote ``photo.jpg-0.jpg``, 1."""

MAX_NAME: Final = 255  # bytes that file systems take

_PLAIN: Final = b"jpg"
_ENDINGS: Final = frozenset(
    b"avif bmp dib dng gif heic heif jfif jif jp2 jpe jpeg jpg jxl mpo pbm pgm png pnm ppm tif "
    b"tiff webp".split()
)
"""Those that photographs mostly have. The list is part of the names, so it never changes."""


def chip_name(photo: str, index: int, format: str) -> str:
    """Return the name of face ``index`` of a photograph, below the output folder.

    ``photo.jpg`` has ``photo-0.jpg``, ``photo.png`` ``photo-png-0.jpg``. Where that could be the
    name of another photograph's face, or hides a dot, a part of a hash makes it a name of its own.
    """
    folder, name = os.path.split(os.fsencode(photo))
    stem, _, ending = name.rpartition(b".")
    if b"." in stem or not stem or ending.lower() not in _ENDINGS or _ends_like_another(stem):
        stem = name.replace(b".", b"-") + b"-" + _digest(name)
    elif ending != _PLAIN:
        stem += b"-" + ending
    return _joined(folder, stem, name, index, format)


def earlier_chip_name(photo: str, index: int, format: str) -> str:
    """Return the name that such a face had in scheme 1."""
    folder, name = os.path.split(os.fsencode(photo))
    return _joined(folder, name, name, index, format)


def renamings(photos: Iterable[tuple[str, int]], format: str) -> list[tuple[str, str]]:
    """Return what becomes of the names of scheme 1, of photographs by name with their faces.

    In an order in which no name is taken before it is free.
    """
    pairs = [
        (earlier_chip_name(name, index, format), chip_name(name, index, format))
        for name, count in photos
        for index in range(count)
    ]
    taken = {after for _, after in pairs}
    return sorted(pairs, key=lambda pair: pair[0] not in taken)


def _ends_like_another(stem: bytes) -> bool:
    """Whether the photograph could be another one with its ending behind a dash."""
    _, dash, last = stem.rpartition(b"-")
    return bool(dash) and last.lower() in _ENDINGS


def _joined(folder: bytes, stem: bytes, name: bytes, index: int, format: str) -> str:
    end = f"-{index}.{format}".encode()
    if len(stem + end) > MAX_NAME:
        digest = _digest(name)
        stem = stem[: MAX_NAME - len(end) - len(digest) - 1] + b"-" + digest
    return os.fsdecode(os.path.join(folder, stem + end))


def _digest(name: bytes) -> bytes:
    return hashlib.sha256(name).hexdigest()[:12].encode()
