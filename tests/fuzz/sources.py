# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets: what images come from, archives, tables and databases."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path
from random import Random
from typing import ClassVar

import numpy as np

from ffgan.dataset import ImageFiles
from ffgan.errors import DatasetError
from ffgan.images import encode
from fuzz.mutation import one_byte_string
from fuzz.target import MEBIBYTE, Target

JPEG = encode(np.full((8, 8, 3), 99, np.uint8), "jpg", 90)
FILES = [
    *[(f"faces/{number}.jpg", JPEG) for number in range(5)],
    ("faces/notes.txt", b"text"),
    ("faces/nosuffix", JPEG + bytes(700)),
    ("faces/" + "long" * 20 + ".png", JPEG),
    ("other/\u00e9.webp", JPEG),
]


class SourceFile(Target):
    """A file that holds images: all of them are read, and their names have to be harmless."""

    more: ClassVar[int] = 16

    def valid(self) -> list[bytes]:
        raise NotImplementedError

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self.path = folder / "source"
        self.seeds = self.valid()
        for seed in self.seeds:
            self.run(seed)

    def input(self, random: Random) -> bytes:
        return one_byte_string(random, random.choice(self.seeds), self.seeds)

    def bound(self, data: bytes) -> int:
        return self.more * MEBIBYTE + 40 * len(data)

    def run(self, data: bytes) -> None:
        self.path.write_bytes(data)
        files = ImageFiles(self.path, include_generated=True)
        assert len(files.found) < 3000
        for index, name in enumerate(files.names):
            assert name and not name.startswith(b"/") and len(name) <= 1000 and b"\0" not in name
            assert b".." not in name.split(b"/")
            try:
                assert len(files.read(index)) == files.size(index)
            except DatasetError as error:
                assert "\n" not in str(error)


class ZipFile(SourceFile):
    """Zip archives, stored and deflated, some with the records of zip64."""

    name = "zip"

    def valid(self) -> list[bytes]:
        made = []
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            for long in (False, True):
                content = io.BytesIO()
                with zipfile.ZipFile(content, "w", compression) as archive:
                    for name, data in FILES:
                        with archive.open(name, "w", force_zip64=long) as member:
                            member.write(data)
                made.append(content.getvalue())
        return made


class TarFile(SourceFile):
    """Tar archives of all kinds."""

    name = "tar"

    def valid(self) -> list[bytes]:
        made = []
        for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            content = io.BytesIO()
            with tarfile.open(fileobj=content, mode="w", format=format) as archive:
                for name, data in FILES:
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
                link = tarfile.TarInfo("link.jpg")
                link.type, link.linkname = tarfile.SYMTYPE, "x" * 150
                if format != tarfile.USTAR_FORMAT:
                    archive.addfile(link)
            made.append(content.getvalue())
        return made

    def input(self, random: Random) -> bytes:
        data = bytearray(super().input(random))
        # With right checksums, without which nothing else is looked at.
        for at in range(0, len(data) - 511, 512):
            if data[at + 257 : at + 262] == b"ustar" and random.random() < 0.9:
                data[at + 148 : at + 156] = b" " * 8
                data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        return bytes(data)


class CompressedTarFile(TarFile):
    """Compressed tar archives, damaged before or after they were compressed."""

    name = "compressed_tar"
    more = 96

    def valid(self) -> list[bytes]:
        self.tars = super().valid()
        return [gzip.compress(self.tars[1]), lzma.compress(self.tars[2])]

    def input(self, random: Random) -> bytes:
        if random.random() < 0.5:
            return one_byte_string(random, random.choice(self.seeds), self.seeds)
        packed, self.seeds = self.seeds, self.tars
        try:
            damaged = super().input(random)
        finally:
            self.seeds = packed
        return gzip.compress(damaged, 1)


class ParquetFile(SourceFile):
    """Parquet files of Hugging Face's kind, and of bytes alone."""

    name = "parquet"
    more = 256

    def valid(self) -> list[bytes]:
        import pyarrow
        from pyarrow import parquet

        rows = [{"bytes": data, "path": name} for name, data in FILES]
        tables = [
            pyarrow.table({"image": rows, "age": list(range(len(rows)))}),
            pyarrow.table({"picture": [data for _, data in FILES]}),
        ]
        made = []
        for table in tables:
            for options in ({"compression": "none", "use_dictionary": False}, {}):
                content = io.BytesIO()
                parquet.write_table(table, content, row_group_size=4, **options)
                made.append(content.getvalue())
        return made


class LmdbFile(SourceFile):
    """LMDB databases."""

    name = "lmdb"

    def valid(self) -> list[bytes]:
        import lmdb

        made = []
        for count in (5, 400):
            path = self.folder / f"{count}.lmdb"
            with (
                lmdb.open(str(path), map_size=1 << 24, subdir=False) as environment,
                environment.begin(write=True) as transaction,
            ):
                for number in range(count):
                    transaction.put(b"%05d" % number, JPEG + bytes(random_size(number)))
            made.append(path.read_bytes())
        return made


def random_size(number: int) -> int:
    """Sizes within a page and beyond."""
    return Random(number).choice([0, 10, 900, 5000])
