# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what images come from: how soon a data set starts, its memory, images per second.

The same images as a folder (of hard links, see `loader.py`), zip, tar, compressed tar, shards,
Parquet and LMDB; each is read in a process of its own. With --at a folder is made once and kept,
some 14 GB for 250,000 images. The files are in the page cache where there is room for them.

    python benchmarks/sources.py --images 250000
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import importlib
import io
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ffgan import images
from ffgan.dataset import Dataset

if __package__:
    from benchmarks.loader import images_per_second, make_tree, memory
else:
    from loader import images_per_second, make_tree, memory

SHARDS = 25
ROWS = 100  # in a row group, as Hugging Face's datasets writes images


def members(faces: Path) -> Iterator[tuple[str, bytes]]:
    """The names of all images, and their content."""
    for path in sorted(faces.glob("*/*.jpg")):
        yield str(path.relative_to(faces)), path.read_bytes()


def make_zip(faces: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members(faces):
            archive.writestr(name, content)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def make_tar(faces: Path, target: Path) -> None:
    with tarfile.open(target, "w") as archive:
        for name, content in members(faces):
            _add(archive, name, content)


def make_compressed_tar(faces: Path, target: Path) -> None:
    with (
        gzip.open(target, "wb", compresslevel=1) as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        for name, content in members(faces):
            _add(archive, name, content)


def make_shards(faces: Path, target: Path) -> None:
    target.mkdir()
    with contextlib.ExitStack() as stack:
        archives = [
            stack.enter_context(tarfile.open(target / f"{number:05}.tar", "w"))
            for number in range(SHARDS)
        ]
        for number, (name, content) in enumerate(members(faces)):
            _add(archives[number % SHARDS], name, content)


def make_parquet(faces: Path, target: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema([("image", kind)])
    with parquet.ParquetWriter(target, schema) as writer:
        rows = []
        for name, content in members(faces):
            rows.append({"bytes": content, "path": name})
            if len(rows) == ROWS:
                writer.write_table(pyarrow.table({"image": pyarrow.array(rows, kind)}))
                rows = []
        if rows:
            writer.write_table(pyarrow.table({"image": pyarrow.array(rows, kind)}))


def make_lmdb(faces: Path, target: Path) -> None:
    import lmdb

    with (
        lmdb.open(str(target), map_size=1 << 40) as environment,
        environment.begin(write=True) as transaction,
    ):
        for name, content in members(faces):
            transaction.put(name.encode(), content)


SOURCES: dict[str, Callable[[Path, Path], None] | None] = {
    "folder": None,
    "zip": make_zip,
    "tar": make_tar,
    "tar.gz": make_compressed_tar,
    "shards": make_shards,
    "parquet": make_parquet,
    "lmdb": make_lmdb,
}


def measure(place: Path, workers: int, batch: int, batches: int) -> None:
    """Prints a row; runs in a process of its own, so that the peak of memory is its own."""
    images.opencv()
    for module in ("pyarrow.parquet", "ffgan.images.decoding"):
        importlib.import_module(module)  # imported later, it would count
    before = memory("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    data = Dataset(place, workers=workers, include_generated=True)
    start, work = time.perf_counter() - began, time.process_time() - worked
    after = memory("VmHWM")
    with data:
        rate = images_per_second(data, batch, batches, flip=False)
    print(
        f"| {place.name} | {len(data):,} | {start:.1f} s | {work:.1f} s | {after - before:.0f} MB "
        f"| {memory('VmHWM') - before:.0f} MB | {rate:,.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=250_000)
    parser.add_argument("--distinct", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--only", default=",".join(SOURCES), help="some of them, A,B")
    parser.add_argument("--at", type=Path, help="a folder in which they are made, or are already")
    parser.add_argument("--make", action="store_true", help="make them, and measure nothing")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure, options.workers, options.batch, options.batches)
        return
    with tempfile.TemporaryDirectory(prefix="ffgan-sources-") as name:
        root = options.at or Path(name)
        if not (root / "faces").exists():
            root.mkdir(exist_ok=True)
            make_tree(root, options.images, options.distinct, 80)
        chosen = options.only.split(",")
        for source in chosen:
            made = SOURCES[source]
            if made is not None and not (root / source).exists():
                made(root / "faces", root / source)
        if options.make:
            return
        print("| source | images | start-up | of the processor | its memory | peak | images/s |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for source in chosen:
            place = root / ("faces" if source == "folder" else source)
            command = [sys.executable, __file__, "--measure", str(place)]
            for option in ("workers", "batch", "batches"):
                command += [f"--{option}", str(getattr(options, option))]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
