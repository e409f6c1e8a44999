# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files whose structure would take hundreds of times their size to be written down."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from support.pictures import file_of, picture

from ffgan import images
from ffgan.errors import DatasetError


def tiff_of(entries: list[tuple[int, int, int, int]], body: bytes) -> bytes:
    """Entries that all may point to the 8th byte, where the body begins."""
    fields = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0" + struct.pack("<I", 8 + len(body))
    return head + body + struct.pack("<H", len(entries)) + fields + bytes(4)


def same_bytes_in_many_tags(values: int, tags: int) -> bytes:
    sides = [(256, 4, 1, 64), (257, 4, 1, 64)]
    shared = [(1000 + tag, 3, values, 8) for tag in range(tags)]
    return tiff_of(sides + shared, np.arange(values, dtype="<u2").tobytes())


def strips() -> bytes:
    sides = [(256, 4, 1, 64), (257, 4, 1, 64)]
    places = [(tag, 3, 400_000, 8) for tag in (273, 279, 324, 325)]
    return tiff_of(sides + places, np.arange(400_000, dtype="<u2").tobytes())


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def items() -> bytes:
    many = 300_000
    places = struct.pack(">IHI", 2 << 24, 0, many)
    places += b"".join(struct.pack(">IHHH", number, 0, 0, 0) for number in range(many))
    brand = box(b"ftyp", b"heic\0\0\0\0heicmif1")
    return brand + box(b"meta", bytes(4) + box(b"iloc", places))


JPEG = file_of(picture(), "JPEG")

FILES = {
    "segments": JPEG[:2] + b"\xff\xe4\0\2" * 200_000 + JPEG[2:],
    "segments-behind": JPEG[:-2] + b"\xff\xfe\0\2" * 200_000 + JPEG[-2:],
    "tags-of-the-same-bytes": same_bytes_in_many_tags(200_000, 200),
    "tags-of-the-same-4096-numbers": same_bytes_in_many_tags(4096, 1000),
    "strips": strips(),
}


@pytest.mark.parametrize("name", FILES)
def test_the_structure_takes_little_more_memory_than_the_file(name: str) -> None:
    data = FILES[name]
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError):
            images.decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(data) + 8e6, f"{peak / 1e6:.0f} MB for {len(data) / 1e6:.1f}"


def test_a_heif_of_too_many_items_is_refused() -> None:
    with pytest.raises(DatasetError, match="too many items"):
        images.decode(items())


def test_as_many_segments_as_photoshop_writes_are_read() -> None:
    large = b"\xff\xed" + struct.pack(">H", 65_535) + bytes(65_533)
    data = JPEG[:2] + large * 900 + JPEG[2:]
    assert np.array_equal(images.decode(data), images.decode(JPEG))
