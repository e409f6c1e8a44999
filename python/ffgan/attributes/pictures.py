# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of the faces in many picture files, whatever is wrong with some of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ffgan import _core, images
from ffgan.attributes.definitions import named
from ffgan.attributes.measurement import BLOCK, Table, measure
from ffgan.attributes.photographs import PLACE, FoundFaces, faces_in, placed, placed_columns
from ffgan.dataset import Dataset, ImageFiles, packed_file, printable
from ffgan.dataset.sources import MAX_FILE_BYTES, holds_images
from ffgan.errors import DatasetError, UnavailableError, UsageError
from ffgan.faces import Box, Detector
from ffgan.faces.detection import check_search
from ffgan.locations import (
    GivenPlace,
    Location,
    RemoteFile,
    Url,
    cannot_read,
    place,
    shown,
)
from ffgan.typing import RGB, ProgressCallback

logger = logging.getLogger("ffgan.attributes")

FILE_SHARE: Final = 64_000_000
"""Bytes for each thread that files may take; a larger one than all have together comes alone."""

SHARE: Final = 256_000_000
"""Likewise what decoding a picture and searching it takes, besides."""

SEARCHING: Final = 7
"""Bytes for each pixel of a decoded picture while it is searched, as in `ffgan.extraction`."""


@dataclass(frozen=True)
class MeasuredPictures:
    """The faces of some pictures: ``table`` has a row for each, ``names`` the file of each row.

    ``looked_at``: how many files there were; ``without_face``: those in which no face was found;
    ``broken``: those that could not be read, with the reason.
    """

    looked_at: int
    names: list[str]
    table: Table
    without_face: list[str]
    broken: list[tuple[str, str]]


class _File(NamedTuple):
    """A picture's name for the user, its size in bytes, and how its bytes or pixels are read."""

    name: str
    size: int
    read: Callable[[], bytes | RGB]


class _Searched(NamedTuple):
    """A picture's faces, or what is wrong with it."""

    name: str
    found: FoundFaces | None
    problem: str = ""


def measure_files(
    paths: GivenPlace | Iterable[GivenPlace],
    names: Iterable[str] | None = None,
    *,
    robust: bool = True,
    detector: Detector = "hog",
    upsample: int = 0,
    progress: ProgressCallback = lambda what, done, total: None,
) -> MeasuredPictures:
    """Return the attributes of the faces in picture files, below folders and in packed files.

    As by `measure_image`, in the order of ``paths`` and of the files' names. A file that is broken
    or has no face is listed. Few pictures are in memory at a time. ``progress`` is called with the
    files done and all of them. Raises `UsageError`, `ExtraError`, and `DatasetError` or
    `UnavailableError` where a folder holds no image or cannot be read.
    """
    wanted = [one.name for one in named(names)]
    kind = placed_columns(wanted)
    check_search(detector, upsample)
    files: list[_File] = []
    unreadable: list[tuple[str, str]] = []
    for path in _paths(paths):
        some, others = _files(path)
        files += some
        unreadable += others
    if not files:
        raise UsageError("give pictures, or folders of pictures")
    looked_at = len(files) + len(unreadable)
    result = MeasuredPictures(looked_at, [], np.zeros(0, kind), [], unreadable)
    rows: list[Table] = [result.table]
    threads = _core.engine()["threads"]
    rooms = images.Room(threads * FILE_SHARE), images.Room(threads * SHARE)
    search = partial(_search, rooms=rooms, detector=detector, upsample=upsample)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(files), BLOCK):
            known: list[tuple[str, FoundFaces]] = []
            for name, found, problem in pool.map(search, files[start : start + BLOCK]):
                if problem:
                    result.broken.append((name, problem))
                elif found is None or not found.boxes:
                    result.without_face.append(name)
                else:
                    known.append((name, found))
            rows += _measured(known, wanted, robust, kind)
            result.names.extend(name for name, found in known for _ in found.boxes)
            progress("pictures", min(start + BLOCK, len(files)), len(files))
    return MeasuredPictures(
        result.looked_at, result.names, np.concatenate(rows), result.without_face, result.broken
    )


def _measured(
    known: list[tuple[str, FoundFaces]], wanted: list[str], robust: bool, kind: np.dtype[np.void]
) -> list[Table]:
    """The rows of the faces of some pictures, measured together."""
    if not known:
        return []
    measured = measure(np.concatenate([found.chips for _, found in known]), wanted, robust=robust)
    ends = np.cumsum([len(found.boxes) for _, found in known])
    parts = np.split(measured, ends[:-1])
    return [placed(found, part, kind) for (_, found), part in zip(known, parts, strict=True)]


def _paths(paths: object) -> list[Location]:
    some = [paths] if isinstance(paths, str | os.PathLike | Url) else paths
    if not isinstance(some, Iterable):
        raise UsageError(f"pictures {paths!r}: give their paths")
    try:
        return [place(path) for path in some]
    except TypeError as error:
        raise UsageError(f"pictures: give their paths as text; {error}") from error


def _files(path: Location) -> tuple[list[_File], list[tuple[str, str]]]:
    """The picture ``path``, those below it or in a packed file; and what cannot be read there."""
    if isinstance(path, Path) and packed_file.is_packed(path):
        packed = Dataset(path)
        return [
            _File(f"{_shown(path)}: {printable(name)}", 0, partial(packed.image, number))
            for number, name in enumerate(packed.names)
        ], []
    if not holds_images(path):
        if isinstance(path, Path):
            return [_File(_shown(path), _size(path), partial(_read, path))], []
        file = RemoteFile(path)
        return [_File(shown(path), file.size, partial(_read_remote, file))], []
    source = ImageFiles(path, include_generated=True)
    if source.left_out:
        logger.info(f"{shown(path)}: {source.left_out}")
    files = [
        _File(source.shown(i), source.size(i), partial(source.read, i)) for i in range(len(source))
    ]
    return files, [(shown(path, name), reason) for name, reason in source.unreadable]


def _shown(path: Path, name: bytes = b"") -> str:
    return printable(os.path.join(os.fsencode(path), name) if name else os.fsencode(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it says what is wrong


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise DatasetError("not a regular file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise cannot_read(os.fsencode(path), error) from error
    if len(content) > MAX_FILE_BYTES:
        raise DatasetError(f"more than the limit of {MAX_FILE_BYTES} bytes")
    return content


def _read_remote(file: RemoteFile) -> bytes:
    if file.size > MAX_FILE_BYTES:
        raise DatasetError(f"more than the limit of {MAX_FILE_BYTES} bytes")
    return file.read(0, file.size)


def _search(
    file: _File, *, rooms: tuple[images.Room, images.Room], detector: Detector, upsample: int
) -> _Searched:
    files, room = rooms
    try:
        with files.hold(min(file.size, MAX_FILE_BYTES)):
            read = file.read()
            if isinstance(read, np.ndarray):
                return _Searched(file.name, faces_in(read, detector=detector, upsample=upsample))
            content = images.container(read)
            width, height = content.size
            pixels = min(width * height, images.MAX_PIXELS)
            need = max(images.memory_of(content, reduce=True), SEARCHING * pixels)
            with room.hold(need):
                image: RGB = images.decode(content, reduce=True)
                del content, read
                scale = round(max(width, height) / max(image.shape))
                found = faces_in(image, detector=detector, upsample=upsample)
                if scale > 1:  # places are those in the picture's own pixels
                    found = found._replace(boxes=[_larger(box, scale) for box in found.boxes])
                if found.chips.base is not None:
                    found = found._replace(chips=found.chips.copy())  # lets go of the picture
                return _Searched(file.name, found)
    except (DatasetError, UnavailableError) as error:
        # The name is said once.
        return _Searched(file.name, None, str(error).removeprefix(f"cannot read {file.name}: "))


def _larger(box: Box, scale: int) -> Box:
    return replace(box, **{side: getattr(box, side) * scale for side, _ in PLACE})
