# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar archives: read at any place as they are; compressed ones are unpacked once, to one file."""

from __future__ import annotations

import logging
import os
from array import array
from typing import Final

from ffgan import storage
from ffgan.dataset import ignored
from ffgan.dataset.sources.archive import Archive, PlainArchive
from ffgan.dataset.sources.compression import DamagedStream, Decompressed
from ffgan.dataset.sources.source import MAX_FILE_BYTES, Member, check_size, label
from ffgan.dataset.sources.tar_headers import TarError, TarMember, members
from ffgan.errors import Error
from ffgan.locations import RandomAccess, Scratch, shown

logger = logging.getLogger("ffgan.dataset")

SPOOL_VARIABLE: Final = "TMPDIR"
SPOOL_FOLDER: Final = "/var/tmp"
"""Where the images of compressed archives are put, on a disk even where /tmp is in memory."""

_CHUNK: Final = 1 << 20


class TarArchive(PlainArchive):
    """The regular files of a tar archive that is not compressed; links and devices are none.

    Raises DatasetError for one that is damaged or cut off.
    """

    kind = "tar archive"

    def __init__(self, file: RandomAccess) -> None:
        super().__init__(file)
        try:
            for member in members(self._read_at):
                if not member.regular:
                    self.listing.ignored[ignored.NOT_REGULAR] += 1
                    continue
                self._add(label(member.name), member.offset, member.size)
        except TarError as error:
            raise self._damaged(str(error)) from error
        self.listing.sort()

    def _read_at(self, offset: int, count: int) -> bytes:
        if offset > self._file.size:
            raise TarError("it is cut off")
        return self._file.read(offset, count)


class CompressedTar(Archive):
    """A compressed tar archive, which can only be read from its beginning to its end.

    So its images are copied into one temporary file, once, which goes with the process.
    Raises DatasetError as `TarArchive`, Error where there is no room for the images.
    """

    kind = "compressed tar archive"

    def __init__(self, file: RandomAccess, compression: str) -> None:
        super().__init__(file)
        self._offsets, self._sizes = array("Q"), array("Q")
        folder = os.environ.get(SPOOL_VARIABLE) or SPOOL_FOLDER
        logger.info(
            "unpacking the images of %s into a temporary file in %s",
            shown(self.location),
            folder,
        )
        try:
            self._spool = Scratch(folder)
            self._unpack(Decompressed(file, compression))
        except OSError as error:
            raise Error(
                f"cannot unpack the images of {shown(self.location)} into {folder}: "
                f"{storage.reason(error)}; name a folder with more room in {SPOOL_VARIABLE}"
            ) from error
        except (TarError, DamagedStream) as error:
            raise self._damaged(str(error)) from error
        self.listing.sort()

    def _unpack(self, stream: Decompressed) -> None:
        end = 0
        for member in members(stream.read):
            if not member.regular:
                self.listing.ignored[ignored.NOT_REGULAR] += 1
                continue
            if member.size <= MAX_FILE_BYTES:
                self._copy(stream, member, end)
            start, size = end, member.size

            def look(count: int, start: int = start, size: int = size) -> bytes:
                if size > MAX_FILE_BYTES:
                    return b""
                at = max(0, size + count) if count < 0 else 0
                return self._spool.read(start + at, min(abs(count), size))

            if self.listing.add_member(label(member.name), size, look):
                self._offsets.append(start)
                self._sizes.append(size)
                end += size if size <= MAX_FILE_BYTES else 0
        self._spool.cut(end)

    def _copy(self, stream: Decompressed, member: TarMember, to: int) -> None:
        done = 0
        while done < member.size:
            chunk = stream.read(member.offset + done, min(_CHUNK, member.size - done))
            if not chunk:
                raise TarError("it is cut off")
            self._spool.write(to + done, chunk)
            done += len(chunk)

    def _size(self, number: int) -> int:
        return self._sizes[number]

    def check_unchanged(self, member: Member, size: int) -> None:
        """What was unpacked stays as it is."""

    def is_there(self) -> bool:
        return True

    def stamp(self, member: Member) -> tuple[int, int]:
        return member.size, self._file.changed

    def read(self, member: Member, limit: int | None = None) -> bytes:
        size = self._sizes[member.number]
        check_size(size)
        count = size if limit is None else min(limit, size)
        return self._spool.read(self._offsets[member.number], count)
