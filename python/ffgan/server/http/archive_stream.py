# SPDX-License-Identifier: GPL-3.0-or-later
"""Zip and tar archives that are written while they are sent."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["zip", "tar"]

MEDIA_TYPES: dict[Kind, str] = {"zip": "application/zip", "tar": "application/x-tar"}

READABLE = 0o644


class ArchiveStream:
    """Returns the archive's bytes as files are added; the same files give the same bytes."""

    def __init__(self, kind: Kind) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w") if kind == "zip" else None
        self._tar = tarfile.open(fileobj=self._sink, mode="w") if kind == "tar" else None  # noqa: SIM115

    def add(self, name: str, data: bytes) -> bytes:
        """The archive's next bytes, with this file; its time is the earliest of the format."""
        if self._zip is not None:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = READABLE << 16
            self._zip.writestr(entry, data)
        if self._tar is not None:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), READABLE
            self._tar.addfile(member, io.BytesIO(data))
        return self._sink.take()

    def finish(self) -> bytes:
        """The archive's last bytes."""
        for archive in (self._zip, self._tar):
            if archive is not None:
                archive.close()
        return self._sink.take()

    def __enter__(self) -> ArchiveStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


class _Sink(io.BytesIO):
    """A file that drops the bytes that were taken, but keeps counting them.

    A zip entry's header is rewritten once its data's checksum is known; a stream that cannot seek
    back that far would put the checksum after the data, which not every reader accepts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def take(self) -> bytes:
        data = self.getvalue()
        self._taken += len(data)
        super().seek(0)
        self.truncate()
        return data

    def tell(self) -> int:
        return self._taken + super().tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._taken + super().seek(
            offset - self._taken if whence == io.SEEK_SET else offset, whence
        )
