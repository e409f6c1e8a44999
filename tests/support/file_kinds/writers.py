# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG, TIFF and BMP files of any inner structure, also those that no library writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

# --- PNG ---

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
"""First row and column of each pass but the last, and the steps from there."""


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png(
    samples: np.ndarray,
    colour: int,
    depth: int,
    *,
    interlaced: bool = False,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
) -> bytes:
    """A PNG of (h, w) or (h, w, n) samples below 2**depth, its rows filtered in all five ways.

    ``colour``: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. ``before`` and ``after``: chunks
    before and behind the pixels.
    """
    samples = samples.reshape(*samples.shape[:2], -1)
    height, width, channels = samples.shape
    passes = [samples]
    if interlaced:
        passes = [samples[y::down, x::right] for y, x, down, right in ADAM7] + [samples[1::2]]
    step = max(1, depth * channels // 8)
    data = b"".join(_filtered(part, depth, step) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = [chunk(b"IHDR", header), *before, *_idat(data), *after, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _idat(data: bytes) -> Iterator[bytes]:
    packed = zlib.compress(data)
    for start in range(0, len(packed), 900):
        yield chunk(b"IDAT", packed[start : start + 900])


def _filtered(samples: np.ndarray, depth: int, step: int) -> bytes:
    rows = packed_rows(samples, depth, ">")
    above = np.zeros(rows.shape[1], np.int32)
    out = []
    for number, row in enumerate(rows.astype(np.int32)):
        left, corner = (np.pad(line, (step, 0))[:-step] for line in (row, above))
        near = left + above - corner
        distance = np.abs(np.stack([near - left, near - above, near - corner]))
        choice = np.argmin(distance, axis=0)  # the first of equals, as PNG wants it
        paeth = np.stack([left, above, corner])[choice, np.arange(len(row))]
        predicted = (0, left, above, (left + above) // 2, paeth)[number % 5]
        out.append(bytes([number % 5]) + ((row - predicted) & 255).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def packed_rows(samples: np.ndarray, depth: int, order: str) -> np.ndarray:
    """(h, w, n) samples as (h, bytes): 1, 2, 4, 8 or 16 bits each, every row from a new byte."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        return rows.astype(order + "u2").view(np.uint8)
    if depth == 8:
        return rows.astype(np.uint8)
    bits = rows[..., None] >> np.arange(depth - 1, -1, -1) & 1
    return np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)


# --- TIFF ---


def tiff(
    width: int,
    height: int,
    segments: Sequence[bytes],
    tags: dict[int, int | Sequence[int]],
    *,
    order: str = "<",
    big: bool = False,
) -> bytes:
    """A TIFF of these strips (tiles, where ``tags`` has a TileWidth) and tags, short or long.

    ``order``: "<" or ">". ``big``: a BigTIFF.
    """
    word, entry, inline = ("Q", "HHQ", 8) if big else ("I", "HHI", 4)
    offsets, counts = (324, 325) if 322 in tags else (273, 279)
    start = 16 if big else 8
    places = np.cumsum([start] + [len(segment) for segment in segments])
    every: dict[int, int | Sequence[int]] = {
        256: width,
        257: height,
        offsets: [int(place) for place in places[:-1]],
        counts: [len(segment) for segment in segments],
        **tags,
    }
    directory = int(places[-1]) + int(places[-1]) % 2
    behind = directory + struct.calcsize("=" + ("Q" if big else "H")) + inline
    behind += len(every) * (20 if big else 12)
    entries, extra = b"", b""
    for tag, value in sorted(every.items()):
        values = [value] if isinstance(value, int) else list(value)
        kind, letter = (4, "I") if max(values) > 65535 or tag in (offsets, counts) else (3, "H")
        content = struct.pack(f"{order}{len(values)}{letter}", *values)
        entries += struct.pack(order + entry, tag, kind, len(values))
        if len(content) > inline:
            entries += struct.pack(order + word, behind + len(extra))
            extra += content + b"\0" * (len(content) % 2)
        else:
            entries += content.ljust(inline, b"\0")
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(
        order + ("HHHQ" if big else "HI"), *((43, 8, 0) if big else (42,)), directory
    )
    count = struct.pack(order + ("Q" if big else "H"), len(every))
    body = b"".join(segments)
    gap = b"\0" * (directory - start - len(body))
    return head + body + gap + count + entries + b"\0" * inline + extra


def strips_of(samples: np.ndarray, depth: int, rows: int, order: str = "<") -> list[bytes]:
    """Uncompressed strips of (h, w, n) samples, ``rows`` each."""
    packed = packed_rows(samples.reshape(*samples.shape[:2], -1), depth, order)
    return [packed[top : top + rows].tobytes() for top in range(0, len(packed), rows)]


def tiles_of(samples: np.ndarray, side: int) -> list[bytes]:
    """Uncompressed tiles of (h, w, n) uint8 samples, ``side`` pixels square."""
    height, width = samples.shape[:2]
    filled = np.pad(samples, ((0, -height % side), (0, -width % side), (0, 0)))
    return [
        filled[top : top + side, left : left + side].tobytes()
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


# --- BMP ---


def bmp(
    pixels: bytes,
    width: int,
    height: int,
    bits: int,
    *,
    header: int = 40,
    compression: int = 0,
    masks: Sequence[int] = (),
    palette: bytes = b"",
) -> bytes:
    """A BMP; its header has 12 (OS/2), 40, 52, 56, 108 or 124 bytes; a height below 0: top down."""
    if header == 12:
        information = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        colours = len(palette) // 4
        fields: tuple[Any, ...] = (header, width, height, 1, bits, compression, len(pixels))
        information = struct.pack("<IiiHHIIiiII", *fields, 2835, 2835, colours, 0)
        information += struct.pack(f"<{len(masks)}I", *masks)
        information = information.ljust(max(header, len(information)), b"\0")
    first = 14 + len(information) + len(palette)
    return (
        b"BM" + struct.pack("<IHHI", first + len(pixels), 0, 0, first) + information + palette
    ) + pixels


def bmp_rows(rows: np.ndarray) -> bytes:
    """(h, bytes) as they stand in a BMP: from the bottom, each filled up to four bytes."""
    return np.pad(rows[::-1], ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
