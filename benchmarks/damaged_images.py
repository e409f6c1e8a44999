# SPDX-License-Identifier: GPL-3.0-or-later
"""What ffgan accepts of damaged image files, beside Pillow and OpenCV.

    python benchmarks/damaged_images.py [--files 2000] [--seed 0] [--keep FOLDER]

Makes files of each format, damages copies of them (a bit, a run of bytes, a hole of zeros, a cut,
a cut that is closed again) and prints a table in Markdown: how many each of the three accepts, how
many of those have other pixels than before, and how many ffgan refuses though both others show them
whole, or accepts changed though another refuses them. These are kept in FOLDER with their reasons,
if it is given. docs/dataset.md shows a result.

Needs Pillow and OpenCV. What OpenCV's libraries print of damage goes to stderr.
"""

from __future__ import annotations

import argparse
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ffgan import images
from ffgan.errors import DatasetError

Pixels = NDArray[np.uint8]

SIDE = 96


class Refused(Exception):
    """The decoder does not take the file."""


def by_ffgan(data: bytes) -> Pixels:
    try:
        return images.decode(data)
    except DatasetError as error:
        raise Refused(str(error)) from error


def by_pillow(data: bytes) -> Pixels:
    try:
        with Image.open(io.BytesIO(data)) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA"))
            return np.asarray(upright.convert("RGB"))
    except Exception as error:  # whatever it raises, it does not show the file
        raise Refused(str(error)) from error


def by_opencv(data: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise Refused(str(error)) from error
    if pixels is None:
        raise Refused("nothing")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


DECODERS: dict[str, Callable[[bytes], Pixels]] = {
    "ffgan": by_ffgan,
    "Pillow": by_pillow,
    "OpenCV": by_opencv,
}


# --- The files ---


def picture(random: np.random.Generator) -> Image.Image:
    """Smooth in its left half, noise in its right."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    smooth = np.stack([x, y, 1 - x], axis=2) * 200 + 20
    smooth[:, SIDE // 2 :] += random.normal(0, 40, (SIDE, SIDE // 2, 3))
    return Image.fromarray(smooth.clip(0, 255).astype(np.uint8))


FORMATS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "JPEG": [
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "progressive": True}),
        ("JPEG", {"quality": 90, "subsampling": 0, "restart_marker_rows": 2}),
    ],
    "JPEG with Samsung's header": [("JPEG", {"quality": 90})],
    "PNG": [("PNG", {}), ("PNG", {"compress_level": 1})],
    "WebP": [("WEBP", {"quality": 90}), ("WEBP", {"lossless": True})],
    "BMP": [("BMP", {})],
    "TIFF": [
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "jpeg"}),
    ],
}


def files(format: str, random: np.random.Generator) -> list[bytes]:
    made = []
    for name, options in FORMATS[format]:
        buffer = io.BytesIO()
        picture(random).save(buffer, name, **options)
        data = buffer.getvalue()
        if format.endswith("header"):
            scan = data.index(b"\xff\xda")
            end = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
            data = data[: end - 2] + b"\0" + data[end - 1 :]
        made.append(data)
    return made


def damaged(data: bytes, random: np.random.Generator) -> tuple[str, bytes]:
    place = int(random.integers(2, len(data)))
    kind = ("a bit", "up to 64 bytes", "zeros", "cut", "cut and closed")[random.integers(5)]
    changed = bytearray(data)
    if kind == "a bit":
        changed[place] ^= 1 << int(random.integers(8))
    elif kind == "up to 64 bytes":
        new = random.bytes(int(random.integers(1, 65)))
        changed[place : place + len(new)] = new[: len(data) - place]
    elif kind == "zeros":
        length = min(int(random.integers(8, 512)), len(data) - place)
        changed[place : place + length] = bytes(length)
    else:
        del changed[place:]
        if kind == "cut and closed":
            changed += data[-12:] if data.startswith(b"\x89PNG") else data[-2:]
    return kind, bytes(changed)


# --- The table ---


@dataclass
class Counts:
    files: int = 0
    accepted: int = 0
    changed: int = 0


def outcome(decode: Callable[[bytes], Pixels], data: bytes, whole: Pixels) -> bool | None:
    """Whether the pixels are those of the whole file; None where it is refused."""
    try:
        pixels = decode(data)
    except Refused:
        return None
    return np.array_equal(pixels, whole)


def compare(format: str, number: int, seed: int, keep: Path | None) -> str:
    """One line of the table."""
    random = np.random.default_rng(seed)
    sources = files(format, random)
    wholes = [{name: decode(data) for name, decode in DECODERS.items()} for data in sources]
    counts = {name: Counts() for name in DECODERS}
    refused_alone = accepted_alone = 0
    for index in range(number):
        which = index % len(sources)
        kind, data = damaged(sources[which], random)
        found = {
            name: outcome(decode, data, wholes[which][name]) for name, decode in DECODERS.items()
        }
        for name, same in found.items():
            counts[name].accepted += same is not None
            counts[name].changed += same is False
        others = [found["Pillow"], found["OpenCV"]]
        alone = found["ffgan"] is None and others == [True, True]
        refused_alone += alone
        accepted_alone += found["ffgan"] is False and None in others
        if keep is not None and (alone or (found["ffgan"] is False and None in others)):
            note(keep, f"{format}-{kind}-{index}", data)
    cells = [f"{count.accepted} ({count.changed})" for count in counts.values()]
    return f"| {format} | {number} | {' | '.join(cells)} | {refused_alone} | {accepted_alone} |"


def note(keep: Path, name: str, data: bytes) -> None:
    try:
        reason = f"shown {images.decode(data).shape}"
    except DatasetError as error:
        reason = str(error)
    keep.mkdir(parents=True, exist_ok=True)
    (keep / name.replace(" ", "-")).write_bytes(data)
    with (keep / "reasons.txt").open("a") as log:
        log.write(f"{name}\t{reason}\n")


def rows(arguments: argparse.Namespace) -> Iterator[str]:
    names = " | ".join(DECODERS)
    yield f"| format | files | {names} | ffgan alone refuses | ffgan alone is fooled |"
    yield "|---|---" + "|---" * (len(DECODERS) + 2) + "|"
    for format in FORMATS:
        yield compare(format, arguments.files, arguments.seed, arguments.keep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=2000, help="damaged files of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep odd files")
    arguments = parser.parse_args()
    images.opencv()  # quiet
    warnings.simplefilter("ignore")  # Pillow's
    for row in rows(arguments):
        print(row, flush=True)


if __name__ == "__main__":
    main()
