# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed streams read forwards, in bounded memory whatever they say of themselves."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from contextlib import suppress
from typing import Any, Final

from ffgan.locations import RandomAccess, as_file

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}

MOST_MEMORY: Final = 128 << 20
"""Bytes that unpacking xz may take; ``xz -9`` needs 65 MB, and a file may ask for 4 GB."""

_CHUNK: Final = 1 << 18


class DamagedStream(Exception):
    """A stream does not unpack; says why."""


def compression_of(beginning: bytes) -> str | None:
    """How a file is compressed, by its first bytes."""
    return next((name for magic, name in _MAGIC.items() if beginning.startswith(magic)), None)


def beginning_of(file: RandomAccess, compression: str, count: int) -> bytes:
    """The first bytes that a compressed file unpacks to; fewer where it is damaged."""
    with suppress(DamagedStream):
        return Decompressed(file, compression).read(0, count)
    return b""


class Decompressed:
    """What a file unpacks to, read at offsets that only rise."""

    def __init__(self, file: RandomAccess, compression: str) -> None:
        packed = as_file(file)
        self._stream: Any
        if compression == "gzip":
            self._stream = gzip.GzipFile(fileobj=packed, mode="rb")
        elif compression == "bzip2":
            self._stream = bz2.BZ2File(packed)
        else:
            self._stream = io.BufferedReader(_Xz(packed), _CHUNK)
        self._position = 0

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes, fewer where the stream ends.

        Raises DamagedStream, also where it ends before ``offset``, and UnavailableError.
        """
        while self._position < offset:
            skipped = self._some(min(_CHUNK, offset - self._position))
            if not skipped:
                raise DamagedStream("it is cut off")
        return self._some(count)

    def _some(self, count: int) -> bytes:
        try:
            content: bytes = self._stream.read(count)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise DamagedStream(f"it does not unpack: {error}") from error
        self._position += len(content)
        return content


class _Xz(io.RawIOBase):
    """The streams of an xz file; `lzma.LZMAFile` takes all memory that one asks for."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._packed = packed
        self._unpacker = self._new()

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = b""
        while not content:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data or self._packed.read(_CHUNK)
                if not rest.strip(b"\0"):  # padding
                    return 0
                self._unpacker = self._new()
            elif self._unpacker.needs_input:
                rest = self._packed.read(_CHUNK)
                if not rest:
                    raise EOFError("it ends too early")
            else:
                rest = b""
            content = self._unpacker.decompress(rest, len(buffer))
        buffer[: len(content)] = content
        return len(content)
