# SPDX-License-Identifier: GPL-3.0-or-later
"""MP4 files by their boxes (ISO/IEC 14496-12): whether a film is whole, its codec, its index first.

FFmpeg writes the index, ``moov``, behind the frames. A browser that must fetch the end of a file
before it can show the start may not offer to seek, or not play it at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from ffgan.errors import Error

CONTAINERS: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each box, where its content begins and where it ends.

    Raises Error where a box is longer than what is there.
    """
    end = len(data) if end is None else end
    while start < end:
        if end - start < 8:
            raise Error("the MP4 is cut off")
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1 and end - start >= 16:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        if size < content - start or start + size > end:
            raise Error("the MP4 is cut off")
        yield kind, content, start + size
        start += size


def find(data: bytes, wanted: bytes) -> tuple[int, int]:
    """Where the content of the first box of a kind lies, inside of ``CONTAINERS`` too.

    Raises Error where there is none.
    """
    pending = [(0, len(data))]
    while pending:
        for kind, start, end in boxes(data, *pending.pop(0)):
            if kind == wanted:
                return start, end
            if kind in CONTAINERS:
                pending.append((start, end))
    raise Error(f"the MP4 has no {wanted.decode()}")


def check(data: bytes, frames: int) -> None:
    """Raises Error unless all boxes are whole and the film has so many frames, all in the file."""
    media, end = find(data, b"mdat")
    start, table_end = find(data, b"stsz")
    size, count = struct.unpack(">II", data[start + 4 : start + 12].ljust(8, b"\0"))
    table = data[start + 12 : table_end]
    sizes = (size,) * count if size else struct.unpack(f">{len(table) // 4}I", table)
    if count != frames or len(sizes) != frames:
        raise Error(f"the MP4 has {count} of {frames} frames")
    if sum(sizes) > end - media or 0 in sizes:
        raise Error("the MP4 lacks frames that its index has")


def codec(data: bytes) -> str:
    """What a browser calls the codec of a VP9 film, such as ``vp09.00.10.08`` (RFC 6381)."""
    start, end = find(data, b"stsd")
    place = data.find(b"vpcC", start, end)
    if place < 0:
        return "vp09"
    profile, level, depth = data[place + 8 : place + 11]
    return f"vp09.{profile:02}.{level:02}.{depth >> 4:02}"


def index_first(data: bytes) -> bytes:
    """The same film with ``moov`` before the frames, and its offsets into the file moved by that.

    The film is whole (`check`), begins with ``ftyp`` and has less than 4 GB.
    """
    found = {kind: (start, end) for kind, start, end in boxes(data)}
    content, end = found[b"moov"]
    if content < found[b"mdat"][0]:
        return data
    begin = content - 8
    moov = bytearray(data[begin:end])
    for kind, form in ((b"stco", "I"), (b"co64", "Q")):
        try:
            start, _ = find(bytes(moov), kind)
        except Error:
            continue
        (count,) = struct.unpack_from(">I", moov, start + 4)
        offsets = struct.unpack_from(f">{count}{form}", moov, start + 8)
        moved = [offset + len(moov) if offset < begin else offset for offset in offsets]
        struct.pack_into(f">{count}{form}", moov, start + 8, *moved)
    head = found[b"ftyp"][1]
    return b"".join((data[:head], moov, data[head:begin], data[end:]))
