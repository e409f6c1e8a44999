# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG (ISO/IEC 15948, chapter 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.chunks import PNG_SIGNATURE
from ffgan.images.colour_space import PRIMARIES, SRGB_PRIMARIES, SRGB_TRANSFER, ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, Container
from ffgan.images.containers.tiff import exif_orientation

_HEADER_END: Final = len(PNG_SIGNATURE) + 25

MAX_PROFILE: Final = 1 << 22
"""Most bytes of a colour profile that are unpacked."""


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

    def _colour_space(self) -> ColourSpace | None:
        found: dict[bytes, bytes] = {}
        for kind, start, end in self.chunks():
            if kind == b"IDAT":
                break  # what describes the colours comes before
            if kind in (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"):
                found.setdefault(kind, self.data[start + 8 : end - 4])
        # The first of these counts: chapter 4.3.
        if b"cICP" in found:
            primaries, transfer, matrix, full_range = struct.unpack("4B", found[b"cICP"])
            usable = matrix == 0 and full_range == 1
            return ColourSpace(primaries=primaries, transfer=transfer, damaged=not usable)
        if b"iCCP" in found:
            compressed = found[b"iCCP"].partition(b"\0")[2][1:]
            return ColourSpace(icc=zlib.decompressobj().decompress(compressed, MAX_PROFILE))
        if b"sRGB" in found:
            return None
        return _by_gamma(found.get(b"gAMA"), found.get(b"cHRM"))

    def _size(self) -> tuple[int, int]:
        if self.data[12:16] == b"CgBI":
            raise DatasetError("a PNG as only Apple's programs read it: save it anew on a Mac")
        if self.data[12:16] != b"IHDR":
            raise DatasetError(CUT_OFF if len(self.data) < 16 else DAMAGED)
        width, height = struct.unpack_from(">II", self.data, 16)
        if len(self.data) >= _HEADER_END:
            self._check_sum(len(PNG_SIGNATURE), _HEADER_END)
        return width, height

    def content(self, wanted: bytes) -> bytes:
        """What the first chunk of a type holds; nothing where there is none."""
        for kind, start, end in self.chunks():
            if kind == wanted:
                return self.data[start + 8 : end - 4]
        return b""

    def _check(self) -> tuple[int, bytes]:
        orientation = 1
        for kind, start, end in self.chunks():
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):  # what makes the pixels
                self._check_sum(start, end)
            elif kind == b"eXIf":
                orientation = exif_orientation(self.data[start + 8 : end - 4])
        return orientation, self.data

    def _check_sum(self, start: int, end: int) -> None:
        chunk = memoryview(self.data)[start:end]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise DatasetError(f"{DAMAGED}: wrong checksum")


def _by_gamma(gamma: bytes | None, chromaticities: bytes | None) -> ColourSpace | None:
    """The space of the chunks gAMA and cHRM."""
    if gamma is None and chromaticities is None:
        return None
    transfer: int | float = SRGB_TRANSFER
    if gamma is not None:
        (exponent,) = struct.unpack(">I", gamma)
        if not exponent:
            return ColourSpace(damaged=True)
        # Programs that write 1 / 2.2 mean sRGB.
        if abs(exponent - 45455) > 50:
            transfer = 100_000 / exponent
    if chromaticities is None:
        return ColourSpace(transfer=transfer)
    white_x, white_y, *points = (v / 100_000 for v in struct.unpack(">8I", chromaticities))
    given = (*points, white_x, white_y)
    known = zip(given, PRIMARIES[SRGB_PRIMARIES], strict=True)
    if all(abs(one - other) < 0.002 for one, other in known):
        return ColourSpace(transfer=transfer)
    return ColourSpace(primaries=given, transfer=transfer)
