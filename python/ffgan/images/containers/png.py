# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG (ISO/IEC 15948, chapter 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.containers.base import CUT_OFF, DAMAGED, Container
from ffgan.images.containers.tiff import exif_orientation

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


class Png(Container):
    """Chunks, each with a checksum."""

    kind = "PNG"

    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        """Type, first and last+1 byte of each whole chunk (length and CRC included)."""
        position = len(PNG_SIGNATURE)
        while True:
            (length,) = struct.unpack_from(">I", self.data, position)
            end = position + 12 + length
            if end > len(self.data):
                raise DatasetError(CUT_OFF)
            kind = self.data[position + 4 : position + 8]
            yield kind, position, end
            if kind == b"IEND":
                return
            position = end

    def _size(self) -> tuple[int, int]:
        if self.data[12:16] != b"IHDR":
            raise DatasetError(CUT_OFF if len(self.data) < 16 else DAMAGED)
        width, height = struct.unpack_from(">II", self.data, 16)
        return width, height

    def _check(self) -> tuple[int, bytes]:
        orientation = 1
        # Only what makes the pixels goes to the decoder: the rest is what libpng prints warnings
        # about.
        kept = [PNG_SIGNATURE]
        for kind, start, end in self.chunks():
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
                chunk = self.data[start:end]
                if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
                    raise DatasetError(f"{DAMAGED}: wrong checksum")
                kept.append(chunk)
            elif kind == b"eXIf":
                orientation = exif_orientation(self.data[start + 8 : end - 4])
        return orientation, b"".join(kept)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """The bytes of a chunk."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)
