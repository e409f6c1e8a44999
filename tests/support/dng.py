# SPDX-License-Identifier: GPL-3.0-or-later
"""DNG files with JPEG previews, without a picture in their raw samples."""

from __future__ import annotations

import struct

from ffgan import images

Tags = dict[int, int | bytes]


def directory(tags: Tags, at: int, following: int) -> bytes:
    """A directory of TIFF at an offset, and what its longer values are."""
    entries, more = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        if isinstance(value, int):
            entries += struct.pack("<HHII", tag, 4, 1, value)
        elif len(value) == 4:
            entries += struct.pack("<HHI", tag, 1, 4) + value
        else:
            entries += struct.pack("<HHII", tag, 4, len(value) // 4, start + len(more))
            more += value
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following) + more


def dng(
    *previews: bytes,
    orientation: int = 1,
    raw: tuple[int, int] = (4000, 3000),
    more: Tags | None = None,
) -> bytes:
    """A thumbnail in the first directory, then the raw samples, then previews in JPEG."""
    thumbnail, mosaic = bytes(96 * 64 * 3), bytes(1000)
    parts = [thumbnail, mosaic, *previews]
    starts = [8 + sum(map(len, parts[:index])) for index in range(len(parts))]
    inner: list[Tags] = [
        {254: 0, 256: raw[0], 257: raw[1], 259: 7, 262: 32803, 273: starts[1], 279: len(mosaic)}
    ]
    for preview, start in zip(previews, starts[2:], strict=True):
        width, height = images.dimensions(preview)
        tags: Tags = {254: 1, 256: width, 257: height, 259: 7, 262: 6, 273: start}
        inner.append(tags | {279: len(preview)} | (more or {}))
    body = b"".join(parts)
    places = []
    for tags in inner:
        places.append(8 + len(body))
        body += directory(tags, 8 + len(body), 0)
    first: Tags = {
        254: 1, 256: 96, 257: 64, 258: 8, 259: 1, 262: 2, 273: starts[0], 277: 3, 278: 64,
        279: len(thumbnail), 274: orientation, 50706: b"\1\4\0\0",
        330: b"".join(struct.pack("<I", place) for place in places) if len(places) > 1
        else places[0],
    }  # fmt: skip
    return (
        struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory(first, 8 + len(body), 0)
    )
