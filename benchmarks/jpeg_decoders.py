# SPDX-License-Identifier: GPL-3.0-or-later
"""Which JPEG decoder tells damaged files from whole ones, makes the same pixels, and how fast.

    python benchmarks/jpeg_decoders.py [FOLDER ...]

Makes a corpus of faces, in whole and damaged files of several kinds, adds the JPEGs below each
FOLDER, and prints tables in Markdown: files that each decoder accepts, those of them with other
pixels than the undamaged file, equality with OpenCV's pixels, and milliseconds per image. Files
whose structure `ffgan.images.containers` refuses are counted apart and reach no decoder. Nothing is
written. docs/dataset.md shows a result.

Needs Pillow, OpenCV and simplejpeg.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

import ffgan
from ffgan import images
from ffgan.errors import DatasetError
from ffgan.images.decoders.jpeg import decode_jpeg

Pixels = NDArray[np.uint8]

FACES = 6
CUTS = 50
FLIPS = 300
REPETITIONS = 30


class Refused(Exception):
    """The decoder does not take the file."""


@dataclass
class File:
    """A JPEG of a kind; ``pixels``: those of the file before it was damaged, by OpenCV."""

    kind: str
    data: bytes
    pixels: Pixels | None


# --- The decoders ---


def by_opencv(data: bytes, factor: int = 1) -> Pixels:
    """OpenCV, which takes half an image for a whole one."""
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    flag = flags[factor] | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    if pixels is None:
        raise Refused
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def by_opencv_and_its_messages(data: bytes) -> Pixels:
    """OpenCV, with what libjpeg prints on file descriptor 2 read; not for programs with threads."""
    with tempfile.TemporaryFile() as file:
        terminal = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            pixels = by_opencv(data)
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
        file.seek(0)
        message = file.read().decode("ascii", "replace")
    if message.startswith("Corrupt JPEG data") and "extraneous bytes" not in message:
        raise Refused
    return pixels


def by_simplejpeg(data: bytes) -> Pixels:
    """simplejpeg in strict mode: libjpeg's first warning ends the decoding."""
    try:
        return simplejpeg.decode_jpeg(data, strict=True)
    except ValueError as error:
        raise Refused from error


def by_ffgan(data: bytes) -> Pixels:
    """What ffgan does: simplejpeg, in strict mode first; orientation is not applied here."""
    try:
        return decode_jpeg(data).samples
    except DatasetError as error:
        raise Refused from error


def by_pillow(data: bytes) -> Pixels:
    """Pillow, which raises only where a file ends too early."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused from error


DECODERS: dict[str, Callable[[bytes], Pixels]] = {
    "OpenCV": by_opencv,
    "OpenCV, messages read": by_opencv_and_its_messages,
    "simplejpeg, strict": by_simplejpeg,
    "ffgan": by_ffgan,
    "Pillow": by_pillow,
}

# --- The corpus ---

ORIENTED = Image.Exif()
ORIENTED[0x0112] = 6

KINDS: dict[str, dict[str, Any]] = {
    "baseline 4:2:0": {"subsampling": "4:2:0"},
    "baseline 4:4:4": {"subsampling": "4:4:4"},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 2},
    "grey": {},
    "CMYK": {},
    "EXIF orientation": {
        "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    },
}
MODES = {"grey": "L", "CMYK": "CMYK"}


def whole_files() -> list[File]:
    """Faces of 162 pixels, and one sheet of 972x648, in files of every kind."""
    faces = ffgan.generate(FACES, seed=1, tries=1)
    pictures = [*faces, images.resize(images.grid(faces, 3), (648, 972))]
    files: list[File] = []
    for kind, options in KINDS.items():
        for picture in pictures:
            buffer = io.BytesIO()
            image = Image.fromarray(picture).convert(MODES.get(kind, "RGB"))
            image.save(buffer, "JPEG", **{"quality": 93, **options})
            files.append(whole(kind, buffer.getvalue()))
    for file in files[:FACES]:
        files.append(File("bytes behind the end", file.data + b"1234" * 9, file.pixels))
        between = file.data[:-2] + b"1234" + file.data[-2:]
        files.append(File("bytes before the end", between, file.pixels))
    return files


def whole(kind: str, data: bytes) -> File:
    return File(kind, data, by_opencv(data))


def damaged_files(clean: list[File]) -> Iterator[File]:
    random = np.random.default_rng(0)
    sources = [file for file in clean if not file.kind.startswith("bytes")]

    def source() -> File:
        return sources[random.integers(len(sources))]

    for _ in range(CUTS):
        file = source()
        kept = int(random.integers(200, len(file.data)))
        yield File("cut off", file.data[:kept], file.pixels)
        yield File("cut off, end marker added", file.data[:kept] + b"\xff\xd9", file.pixels)
        yield File("cut off, zeros instead", file.data[:kept].ljust(len(file.data), b"\0"), None)
    for _ in range(FLIPS):
        file = source()
        content = bytearray(file.data)
        content[random.integers(len(content))] ^= 1 << int(random.integers(8))
        yield File("a bit flipped", bytes(content), file.pixels)
    for _ in range(CUTS):
        file = source()
        content = bytearray(file.data)
        begin = int(random.integers(len(content) // 3, len(content) - 100))
        content[begin : begin + 64] = random.bytes(64)
        yield File("64 bytes overwritten", bytes(content), file.pixels)


def files_below(folder: Path) -> Iterator[File]:
    for path in sorted(folder.rglob("*.jp*g")):
        data = path.read_bytes()
        if data.startswith(b"\xff\xd8\xff"):
            yield File(f"{folder.name}/", data, None)


# --- The tables ---


def has_structure(data: bytes) -> bool:
    try:
        images.container(data).check()
    except DatasetError:
        return False
    return True


def accepted(files: list[File]) -> None:
    """Print what each decoder accepts, by the kind of file."""
    print("| files | n | refused by structure |", " | ".join(DECODERS), "|")
    print("|---|---|---|" + "---|" * len(DECODERS))
    for kind in dict.fromkeys(file.kind for file in files):
        every = [file for file in files if file.kind == kind]
        readable = [file for file in every if has_structure(file.data)]
        cells = []
        for decode in DECODERS.values():
            taken = changed = 0
            for file in readable:
                try:
                    pixels = decode(file.data)
                except Refused:
                    continue
                taken += 1
                changed += file.pixels is not None and not np.array_equal(pixels, file.pixels)
            cells.append(f"{taken}" + (f" ({changed} changed)" if changed else ""))
        print(f"| {kind} | {len(every)} | {len(every) - len(readable)} |", " | ".join(cells), "|")


def equality(files: list[File]) -> None:
    """Print how many of the files have OpenCV's pixels, at full size and scaled while decoding."""
    print("\n| size | files | ffgan's pixels are OpenCV's |\n|---|---|---|")
    for factor in (1, 2, 4):
        same = 0
        for file in files:
            ours = decode_jpeg(file.data, factor).samples
            same += np.array_equal(ours, by_opencv(file.data, factor))
        print(f"| 1/{factor} | {len(files)} | {same} |")


def speed(files: list[File]) -> None:
    """Print medians; the decoders take turns, so that other work on the machine meets all."""
    print("\n| ms per image |", " | ".join(DECODERS), "|")
    print("|---|" + "---|" * len(DECODERS))
    baseline = [file for file in files if file.kind == "baseline 4:2:0"]
    for size, data in (("162x162", baseline[0].data), ("972x648", baseline[-1].data)):
        times: dict[str, list[float]] = {name: [] for name in DECODERS}
        for _ in range(REPETITIONS):
            for name, decode in DECODERS.items():
                for _ in range(10):
                    began = time.perf_counter()
                    decode(data)
                    times[name].append((time.perf_counter() - began) * 1e3)
        medians = " | ".join(f"{statistics.median(each):.3f}" for each in times.values())
        print(f"| {size} | {medians} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", metavar="FOLDER", type=Path, nargs="*", help="JPEGs to add")
    folders = parser.parse_args().folders
    images.opencv()  # quiet
    clean = whole_files()
    found = [file for folder in folders for file in files_below(folder)]
    accepted([*clean, *damaged_files(clean), *found])
    equality([file for file in (*clean, *found) if is_accepted(file.data)])
    speed(clean)


def is_accepted(data: bytes) -> bool:
    try:
        images.decode(data)
    except DatasetError:
        return False
    return True


if __name__ == "__main__":
    main()
