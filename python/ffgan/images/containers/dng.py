# SPDX-License-Identifier: GPL-3.0-or-later
"""DNG: raw photographs, of which the JPEG preview that they carry is taken."""

from __future__ import annotations

import struct
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.colour_space import PRIMARIES, ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, OUT_OF_BOUNDS
from ffgan.images.containers.jpeg import Jpeg
from ffgan.images.containers.tiff import MAX_TAGS

LEAST_SIDE: Final = 640
"""Pixels of the longer side of a preview; smaller ones stand for the photograph in lists only."""

_VERSION: Final = 50706
_WIDTH, _HEIGHT = 256, 257
_COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 259, 262, 274
_STRIPS, _STRIP_BYTES, _INNER = 273, 279, 330
_JPEG, _JPEG_BYTES = 513, 514
_COLOURS: Final = 50970
_RAW: Final = (32803, 34892)  # a colour filter array, linear raw
_MOST: Final = 64
_USED: Final = frozenset(
    {_VERSION, _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION}
    | {_STRIPS, _STRIP_BYTES, _INNER, _JPEG, _JPEG_BYTES, _COLOURS}
)

_SPACES: Final = {
    3: ColourSpace(
        primaries=(0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *PRIMARIES[1][6:]), transfer=2.19921875
    ),
    4: ColourSpace(
        primaries=(0.734699, 0.265301, 0.159597, 0.840403, 0.036598, 0.000105, 0.345704, 0.35854),
        transfer=1.8,
    ),
}

_Tags = dict[int, tuple[int, ...]]


class Dng(Jpeg):
    """The largest preview of a raw photograph; turned as that is.

    Raises DatasetError where there is none of use.
    """

    kind = "DNG"

    def __init__(self, data: bytes) -> None:
        try:
            directories = _directories(data)
        except OUT_OF_BOUNDS as error:
            raise DatasetError(CUT_OFF) from error
        previews = [preview for tags in directories if (preview := _preview(data, tags))]
        best = max(
            previews, key=lambda preview: preview[0].size[0] * preview[0].size[1], default=None
        )
        raw = max((max(_first(t, _WIDTH), _first(t, _HEIGHT)) for t in directories), default=0)
        if best is None or max(best[0].size) < min(LEAST_SIDE, raw):
            raise DatasetError(
                "a DNG without a JPEG preview of use: develop it, and give the JPEG or TIFF"
            )
        super().__init__(best[0].data)
        self._space = best[1]
        self._turn = _first(directories[0], _ORIENTATION) if directories else 1

    def _check(self) -> tuple[int, bytes]:
        orientation, content = super()._check()
        return (self._turn if 1 <= self._turn <= 8 else orientation), content

    def _colour_space(self) -> ColourSpace | None:
        return super()._colour_space() or self._space


def is_dng(data: bytes) -> bool:
    """Whether a TIFF is a DNG, by its first directory."""
    try:
        order = _order(data)
        (place,) = struct.unpack_from(order + "I", data, 4)
        return _VERSION in _read(data, place, order)[0]
    except (*OUT_OF_BOUNDS, DatasetError):
        return False


def _order(data: bytes) -> str:
    return "<" if data.startswith(b"II") else ">"


def _directories(data: bytes) -> list[_Tags]:
    order = _order(data)
    waiting = list(struct.unpack_from(order + "I", data, 4))
    seen: set[int] = set()
    found: list[_Tags] = []
    while waiting and len(found) < _MOST:
        place = waiting.pop(0)
        if not place or place in seen:
            continue
        seen.add(place)
        tags, following = _read(data, place, order)
        found.append(tags)
        waiting += [*tags.get(_INNER, ()), following]
    return found


def _read(data: bytes, place: int, order: str) -> tuple[_Tags, int]:
    """The tags of a directory that are whole numbers, and the place of the next directory."""
    (count,) = struct.unpack_from(order + "H", data, place)
    if count > MAX_TAGS:
        raise DatasetError(DAMAGED)
    tags: _Tags = {}
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", data, entry)
        letter, width = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4), 13: ("I", 4)}.get(kind, ("", 0))
        if letter and values <= 4096 and tag in _USED:
            at = entry + 8
            if values * width > 4:
                (at,) = struct.unpack_from(order + "I", data, at)
            tags[tag] = struct.unpack_from(f"{order}{values}{letter}", data, at)
    (following,) = struct.unpack_from(order + "I", data, place + 2 + 12 * count)
    return tags, following


def _first(tags: _Tags, tag: int) -> int:
    values = tags.get(tag) or (0,)
    return values[0]


def _preview(data: bytes, tags: _Tags) -> tuple[Jpeg, ColourSpace | None] | None:
    """The JPEG of a directory, and its colours by the directory's tag."""
    if _first(tags, _PHOTOMETRIC) in _RAW:
        return None
    if _first(tags, _JPEG):
        start, length = _first(tags, _JPEG), _first(tags, _JPEG_BYTES)
    elif _first(tags, _COMPRESSION) in (6, 7) and len(tags.get(_STRIPS, ())) == 1:
        start, length = _first(tags, _STRIPS), _first(tags, _STRIP_BYTES)
    else:
        return None
    if start + length > len(data):
        raise DatasetError(CUT_OFF)
    if not data.startswith(b"\xff\xd8\xff", start):
        return None
    jpeg = Jpeg(data[start : start + length])
    try:
        jpeg.size  # noqa: B018 - whether it has one
    except DatasetError:
        return None
    return jpeg, _SPACES.get(_first(tags, _COLOURS))
