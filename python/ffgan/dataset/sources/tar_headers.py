# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of tar archives: ustar and pax (POSIX.1-2001), GNU's long names, and V7.

tarfile of the standard library takes 40 microseconds a member, and as much memory as a header says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

BLOCK: Final = 512

_LONGEST_HEADER: Final = 1 << 20
"""Bytes of a name or of pax records."""

_REGULAR: Final = (b"0", b"\0", b"7")
_WITHOUT_DATA: Final = (b"1", b"2", b"3", b"4", b"5", b"6")
_FOLDER: Final = b"5"
_SPARSE: Final = b"S"

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Reads so many bytes from an offset on, fewer where the archive ends.

Raises an error where it ends before the offset.
"""


class TarError(Exception):
    """What is wrong with an archive."""


class TarMember(NamedTuple):
    """A member that is no folder: ``regular`` files have ``size`` bytes from ``offset`` on."""

    name: bytes
    offset: int
    size: int
    regular: bool


def is_tar(beginning: bytes) -> bool:
    """Whether the first `BLOCK` bytes are a header; an archive without a member is none."""
    return len(beginning) >= BLOCK and _has_checksum(beginning[:BLOCK]) and beginning[0] != 0


def members(read: ReadAt) -> Iterator[TarMember]:
    """All members but folders, from the first to the last; ``read`` is called with rising offsets.

    Raises TarError where the archive is damaged or cut off.
    """
    at = 0
    long_name: bytes | None = None
    pax: dict[bytes, bytes] = {}
    while True:
        header = read(at, BLOCK)
        if not header.strip(b"\0"):
            if header or at:
                return  # the end, also where the blocks that mark it are not there
            raise TarError("it is empty")
        if len(header) < BLOCK:
            raise TarError("it is cut off")
        if not _has_checksum(header):
            raise TarError(f"there is no member at byte {at}")
        kind = header[156:157]
        size = _number(header[124:136])
        data = at + BLOCK
        if kind in (b"L", b"K", b"x", b"g"):
            if size > _LONGEST_HEADER:
                raise TarError(f"the header at byte {at} has {size} bytes")
            content = read(data, size)
            if len(content) < size:
                raise TarError("it is cut off")
            if kind == b"L":
                long_name = content.partition(b"\0")[0]
            elif kind == b"x":
                pax = _records(content)
            at = data + _whole(size)
            continue
        if kind == _SPARSE:
            more = header[482] != 0
            while more:
                block = read(data, BLOCK)
                if len(block) < BLOCK:
                    raise TarError("it is cut off")
                more, data = block[504] != 0, data + BLOCK
        if b"size" in pax:
            size = _decimal(pax[b"size"])
        name = pax.get(b"path", long_name if long_name is not None else _name(header))
        regular = kind in _REGULAR and not any(key.startswith(b"GNU.sparse") for key in pax)
        if kind != _FOLDER and not (kind in _REGULAR and name.endswith(b"/")):
            yield TarMember(name, data, size if regular else 0, regular)
        at = data if kind in _WITHOUT_DATA else data + _whole(size)
        long_name, pax = None, {}


def _whole(size: int) -> int:
    """The bytes of the blocks that hold so many."""
    return -(-size // BLOCK) * BLOCK


def _has_checksum(header: bytes) -> bool:
    try:
        said = _number(header[148:156])
    except TarError:
        return False
    return said == sum(header[:148]) + 256 + sum(header[156:])


def _number(field: bytes) -> int:
    """An octal number, or one of base 256 as GNU writes large ones."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40 or value >= 1 << 62:
            raise TarError("a number is out of range")
        return value
    digits = field.partition(b"\0")[0].strip()
    if digits.strip(b"01234567"):
        raise TarError("a number is none")
    return int(digits or b"0", 8)


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 18:
        raise TarError("a number is none")
    return int(digits)


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0]
    if header[257:263] == b"ustar\0" and prefix:
        return prefix + b"/" + name
    return name


def _records(content: bytes) -> dict[bytes, bytes]:
    """The records of a pax header, ``LENGTH KEY=VALUE`` and a line break each."""
    records = {}
    at = 0
    while at < len(content) and content[at] != 0:
        length, space, _ = content[at : at + 20].partition(b" ")
        end = at + _decimal(length)
        key, equals, value = content[at + len(length) + 1 : end - 1].partition(b"=")
        if not space or not equals or end > len(content) or content[end - 1 : end] != b"\n":
            raise TarError("a pax header is damaged")
        records[key] = value
        at = end
    return records
