# SPDX-License-Identifier: GPL-3.0-or-later
"""The chunks of PNG and RIFF (WebP) files, as they are written.

Apart from the containers, so that who only writes pictures need not import what reads all kinds.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """The bytes of a chunk."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    """The bytes of a chunk, filled up to an even length."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def webp_file(chunks: bytes) -> bytes:
    """The bytes of a WebP file of the chunks given."""
    return riff_chunk(b"RIFF", b"WEBP" + chunks)
