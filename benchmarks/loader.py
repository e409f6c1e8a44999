# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the dataset on a synthetic tree: start-up, memory, images per second.

The tree has as many names as asked for, in folders of 1000, but only a few hundred distinct JPEGs
(162x162, smooth noise, about 9 KB as aligned faces have): the others are hard links, so the disk
holds little and, once warm, nothing is read from it. What is measured is the program, not a disk.

    python benchmarks/loader.py --images 250000 --workers 2
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ffgan import images
from ffgan.dataset import Dataset
from ffgan.shapes import IMAGE_SIZE

IMAGES_PER_FOLDER = 1000


def make_tree(root: Path, count: int, distinct: int, quality: int) -> float:
    """Fills `root` with `count` JPEGs of which `distinct` differ; their mean size in bytes."""
    rng = np.random.default_rng(0)
    originals = [root / f"{number:06}.original" for number in range(distinct)]
    for original in originals:
        coarse = rng.integers(0, 256, (40, 40, 3), np.uint8)
        original.write_bytes(images.encode(images.resize(coarse, IMAGE_SIZE), "jpg", quality))
    for number in range(count):
        folder = root / "faces" / f"{number // IMAGES_PER_FOLDER:04}"
        if number % IMAGES_PER_FOLDER == 0:
            folder.mkdir(parents=True)
        os.link(originals[number % distinct], folder / f"{number:07}.jpg")
    return sum(original.stat().st_size for original in originals) / distinct


def memory(entry: str) -> float:
    """One of VmRSS, VmHWM (peak), RssAnon, RssFile of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(entry + ":"):
            return int(line.split()[1]) / 1000
    raise KeyError(entry)


def images_per_second(dataset: Dataset, batch: int, batches: int, *, flip: bool) -> float:
    """How fast a data set gives batches, after its first one."""
    stream = dataset.batches(batch, seed=0, flip=flip)
    next(stream)
    began = time.perf_counter()
    for _ in range(batches):
        next(stream)
    return batches * batch / (time.perf_counter() - began)


def measure(faces: Path, workers: int, batch: int, batches: int, cache: Path | None) -> None:
    """Prints a row; runs in a process of its own, so that the peak of memory is its own."""
    images.decode(next(faces.glob("*/*.jpg")).read_bytes())
    before = memory("VmRSS")
    began = time.perf_counter()
    dataset = Dataset(faces, cache=cache, workers=workers)
    scan = time.perf_counter() - began
    after_scan = memory("VmHWM")
    began = time.perf_counter()
    if cache is not None:
        dataset.build_cache()
    build = time.perf_counter() - began
    with dataset:
        rate = images_per_second(dataset, batch, batches, flip=True)
    print(
        f"| {len(dataset):,} | {'yes' if cache else 'no'} | {workers} | {scan:.2f} s "
        f"| {after_scan - before:.0f} MB | {memory('VmHWM') - before:.0f} MB "
        f"| {f'{build:.0f} s' if cache else '-'} | {rate:,.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=250_000)
    parser.add_argument("--distinct", type=int, default=400)
    parser.add_argument("--quality", type=int, default=80)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument(
        "--cache-images", type=int, default=20_000, help="size of the tree for the row with a cache"
    )
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure, options.workers, options.batch, options.batches, options.cache)
        return

    def row(root: Path, *more: str) -> None:
        command = [sys.executable, __file__, "--measure", str(root / "faces"), *more]
        for name in ("workers", "batch", "batches"):
            command += [f"--{name}", str(getattr(options, name))]
        subprocess.run(command, check=True)

    with tempfile.TemporaryDirectory(prefix="ffgan-loader-") as name:
        root = Path(name)
        began = time.perf_counter()
        size = make_tree(root, options.images, options.distinct, options.quality)
        print(
            f"{options.images:,} names of {options.distinct} distinct JPEGs of {size:,.0f} bytes, "
            f"made in {time.perf_counter() - began:.0f} s; batches of {options.batch}\n"
        )
        print("| images | cache | workers | start-up | its memory | peak | cache made | images/s |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        row(root)
        if options.cache_images:
            small = root / "small"
            small.mkdir()
            make_tree(small, options.cache_images, options.distinct, options.quality)
            row(small, "--cache", str(root / "cache"))


if __name__ == "__main__":
    main()
