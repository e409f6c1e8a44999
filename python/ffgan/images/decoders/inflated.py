# SPDX-License-Identifier: GPL-3.0-or-later
"""Deflated data, inflated as they are read, in memory that does not grow with them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from ffgan.errors import DatasetError
from ffgan.images.containers import DAMAGED

# What zlib does not take is copied at every call, so it is given little.
_INPUT: Final = 1 << 16


class Inflated:
    """The content of a zlib stream that is in several pieces."""

    def __init__(self, pieces: Iterable[memoryview]) -> None:
        self._pieces = _small(pieces)
        self._pending: bytes | memoryview = b""
        self._stream = zlib.decompressobj()

    def read(self, length: int) -> bytes:
        """So many bytes; raises DatasetError where there are fewer, or they are damaged."""
        found = []
        while length:
            piece = self._next(length)
            if piece is None:
                raise DatasetError(f"{DAMAGED}: too few pixels")
            found.append(piece)
            length -= len(piece)
        return b"".join(found)

    def finish(self) -> None:
        """Up to the checksum at the end; more data than were read do no harm."""
        while self._next(_INPUT) is not None:
            pass

    def _next(self, most: int) -> bytes | None:
        """Some bytes, at most so many; None at the end."""
        if self._stream.eof:
            return None
        if not self._pending:
            following = next(self._pieces, None)
            if following is None:
                return None
            self._pending = following
        try:
            found = self._stream.decompress(self._pending, most)
        except zlib.error as error:
            raise DatasetError(f"{DAMAGED}: {error}") from error
        self._pending = self._stream.unconsumed_tail
        return found


def _small(pieces: Iterable[memoryview]) -> Iterator[memoryview]:
    for piece in pieces:
        for start in range(0, len(piece), _INPUT):
            yield piece[start : start + _INPUT]
