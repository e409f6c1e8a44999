# SPDX-License-Identifier: GPL-3.0-or-later
"""Zip archives, also of more than 4 GB, by the .ZIP File Format Specification (APPNOTE.TXT) 6.3.

zipfile of the standard library would keep an object of 0.7 kB for each member, let one thread read
at a time, and unpack what bzip2 and LZMA make of it without a limit.
"""

from __future__ import annotations

import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

from ffgan.dataset import ignored
from ffgan.dataset.sources.archive import Archive
from ffgan.dataset.sources.listing import Look
from ffgan.dataset.sources.source import Member, check_size, label
from ffgan.errors import DatasetError
from ffgan.locations import RandomAccess

BEGINNINGS: Final = (b"PK\3\4", b"PK\5\6")

_BLOCK: Final = 1 << 20
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x2041  # also by strong encryption, or with a directory that is masked
_MS_DOS, _UNIX = 0, 3
_FULL: Final = 0xFFFFFFFF  # stands for a number in the field of zip64

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LONGEST_ENTRY: Final = _ENTRY.size + 3 * 0xFFFF
_LOCAL = struct.Struct("<4s5H3I2H")
_SLACK: Final = 512
"""Bytes that are read before a member's data, mostly enough for its header, name and fields."""


class _Entry(NamedTuple):
    """A member as the directory at the archive's end has it."""

    name: bytes
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    mode: int
    offset: int


class ZipArchive(Archive):
    """The members of a zip archive that are stored or deflated.

    Raises DatasetError for a file that is no whole archive.
    """

    kind = "zip archive"

    def __init__(self, file: RandomAccess) -> None:
        super().__init__(file)
        self._offsets, self._packed, self._sizes = array("Q"), array("Q"), array("Q")
        self._methods, self._checksums = array("H"), array("L")
        for entry in self._entries():
            self._take(entry)
        self.listing.sort()

    def _size(self, number: int) -> int:
        return self._sizes[number]

    # ------------------------------------------------------------------ the directory

    def _directory(self) -> tuple[int, int, int]:
        """Where the directory is, its length, and by how much all offsets are too small."""
        file = self._file
        start = max(0, file.size - _END.size - 0xFFFF)
        tail = file.read(start, file.size - start)
        found = tail.rfind(b"PK\5\6")
        if found < 0 or len(tail) - found < _END.size:
            raise self._damaged("it has no directory at its end; was it cut off?")
        _, disk, first_disk, _, _, length, offset, _ = _END.unpack_from(tail, found)
        before = start + found
        if before >= _LOCATOR.size:
            locator = file.read(before - _LOCATOR.size, _LOCATOR.size)
            magic, _, at, _ = _LOCATOR.unpack(locator)
            if magic == b"PK\6\7":
                record = file.read(at, _END64.size)
                if not record.startswith(b"PK\6\6") or len(record) < _END64.size:
                    raise self._damaged("its directory is not where it should be")
                *_, disk, first_disk, _, _, length, offset = _END64.unpack(record)
                before = at
        if disk or first_disk:
            raise self._damaged("it is one part of several: join them to one file")
        if length > before:
            raise self._damaged("its directory is not where it should be")
        # Something may have been put before the archive.
        return before - length, length, before - length - offset

    def _entries(self) -> Iterator[_Entry]:
        position, length, shift = self._directory()
        end = position + length
        buffer, at = b"", 0
        while True:
            while len(buffer) - at < _LONGEST_ENTRY and position < end:
                block = self._file.read(position, min(_BLOCK, end - position))
                buffer, at, position = buffer[at:] + block, 0, position + _BLOCK
            if at == len(buffer) or buffer.startswith(b"PK\5\5", at):  # a signature ends it
                return
            if len(buffer) - at < _ENTRY.size or not buffer.startswith(b"PK\1\2", at):
                raise self._damaged("its directory is damaged")
            (
                _, made_by, _, flags, method, _, _, checksum, packed, size, of_name, of_extra,
                of_comment, _, _, attributes, offset,
            ) = _ENTRY.unpack_from(buffer, at)  # fmt: skip
            at += _ENTRY.size
            name, extra = buffer[at : at + of_name], buffer[at + of_name : at + of_name + of_extra]
            at += of_name + of_extra + of_comment
            if at > len(buffer):
                raise self._damaged("its directory is damaged")
            if _FULL in (size, packed, offset):
                size, packed, offset = _long(extra, size, packed, offset)
            host = made_by >> 8
            if host == _MS_DOS:
                name = name.replace(b"\\", b"/")
            mode = attributes >> 16 if host == _UNIX else 0
            offset = min(max(0, offset + shift), self._file.size)
            yield _Entry(name, flags, method, checksum, packed, size, mode, offset)

    def _take(self, entry: _Entry) -> None:
        if entry.name.endswith(b"/"):
            return
        listing = self.listing
        if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
            listing.ignored[ignored.NOT_REGULAR] += 1
        elif entry.flags & _ENCRYPTED:
            listing.ignored[ignored.ENCRYPTED] += 1
        elif entry.method not in (_STORED, _DEFLATED):
            listing.ignored[f"compressed by method {entry.method}"] += 1
        elif listing.add_member(label(entry.name), entry.size, self._look_at(entry)):
            self._offsets.append(entry.offset)
            self._packed.append(entry.packed)
            self._sizes.append(entry.size)
            self._methods.append(entry.method)
            self._checksums.append(entry.checksum)

    # ------------------------------------------------------------------ members

    def read(self, member: Member, limit: int | None = None) -> bytes:
        number = member.number
        return self._unpacked(
            self._offsets[number],
            self._packed[number],
            self._sizes[number],
            self._methods[number],
            None if limit is not None else self._checksums[number],
            limit,
        )

    def _look_at(self, entry: _Entry) -> Look:
        def look(count: int) -> bytes:
            limit = count if count >= 0 else None
            of = entry.offset, entry.packed, entry.size, entry.method
            try:
                content = self._unpacked(*of, None, limit)
            except DatasetError:
                return b""  # it will be found broken when it is decoded
            return content if count >= 0 else content[count:]

        return look

    def _unpacked(
        self,
        offset: int,
        packed: int,
        size: int,
        method: int,
        checksum: int | None,
        limit: int | None,
    ) -> bytes:
        """A member's content, or its first ``limit`` bytes."""
        if limit is None:
            check_size(size)
        wanted = size if limit is None else min(limit, size)
        # Deflated data may be a little longer than what they were.
        most = min(packed, wanted + wanted // 8 + 4096)
        if packed > size + size // 8 + 4096 or (method == _STORED and packed != size):
            raise DatasetError(f"damaged in its archive: {size} bytes packed into {packed}")
        data = self._file.read(offset, _SLACK + most)
        if len(data) < _LOCAL.size or not data.startswith(b"PK\3\4"):
            raise DatasetError("damaged in its archive: it has no header")
        *_, of_name, of_extra = _LOCAL.unpack_from(data)
        start = _LOCAL.size + of_name + of_extra
        if start > _SLACK:
            data = self._file.read(offset, start + most)
        data = data[start : start + most]
        if method == _DEFLATED:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, wanted + 1)
            except zlib.error as error:
                raise DatasetError(f"damaged in its archive: {error}") from error
        if limit is not None:
            return data[:limit]
        if len(data) != size:
            raise DatasetError(f"damaged in its archive: not the {size} bytes that it should have")
        if checksum is not None and zlib.crc32(data) != checksum:
            raise DatasetError("damaged in its archive: wrong checksum")
        return data


def _long(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The numbers of an entry, those that are too large for it from its field of zip64."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            values = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            size, packed, offset = (
                next(values, each) if each == _FULL else each for each in (size, packed, offset)
            )
            break
        at += 4 + length
    return size, packed, offset
