# SPDX-License-Identifier: GPL-3.0-or-later
"""WebP (RFC 9649, section 2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ffgan.errors import DatasetError
from ffgan.images.chunks import riff_chunk, webp_file
from ffgan.images.colour_space import ColourSpace
from ffgan.images.containers.base import CUT_OFF, DAMAGED, Container
from ffgan.images.containers.tiff import exif_orientation
from ffgan.images.lazy_opencv import opencv_version


class WebP(Container):
    """A RIFF file of chunks."""

    kind = "WebP"

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """Type and content of each chunk."""
        position, end = 12, 8 + struct.unpack_from("<I", self.data, 4)[0]
        if end > len(self.data):
            raise DatasetError(CUT_OFF)
        while position + 8 <= end:
            kind, length = struct.unpack_from("<4sI", self.data, position)
            yield kind, self.data[position + 8 : position + 8 + length]
            position += 8 + length + length % 2

    def _colour_space(self) -> ColourSpace | None:
        for kind, content in self.chunks():
            if kind == b"ICCP":
                return ColourSpace(icc=content)
        return None

    def _size(self) -> tuple[int, int]:
        kind, _, payload = struct.unpack_from("<4sI10s", self.data, 12)
        if kind == b"VP8X":
            width = int.from_bytes(payload[4:7], "little") + 1
            height = int.from_bytes(payload[7:10], "little") + 1
        elif kind == b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", payload, 6))
        elif kind == b"VP8L":
            bits = int.from_bytes(payload[1:5], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        else:
            raise DatasetError(DAMAGED)
        return width, height

    def _check(self) -> tuple[int, bytes]:
        exif, frame = b"", b""
        for kind, content in self.chunks():
            if kind == b"EXIF" and not exif:
                exif = content
            elif kind == b"ANMF" and not frame:
                frame = content
        return exif_orientation(exif), self._still(frame) if frame else self.data

    def _still(self, frame: bytes) -> bytes:
        """The file of one frame alone, where that covers the picture: it takes less memory."""
        left, top = (int.from_bytes(frame[at : at + 3], "little") for at in (0, 3))
        sides = (int.from_bytes(frame[at : at + 3], "little") + 1 for at in (6, 9))
        if (left, top) != (0, 0) or tuple(sides) != self.size:
            if opencv_version() < (4, 11):
                raise DatasetError("an animated WebP needs OpenCV 4.11 or later")
            return self.data
        pixels = frame[16:]
        if not pixels.startswith(b"ALPH"):
            still = webp_file(pixels)
            # The size that was looked at is that of the frame, and the decoder goes by this one.
            if WebP(still).size != self.size:
                raise DatasetError(DAMAGED)
            return still
        has_alpha = 0x10
        return webp_file(riff_chunk(b"VP8X", struct.pack("<I", has_alpha) + frame[6:12]) + pixels)
