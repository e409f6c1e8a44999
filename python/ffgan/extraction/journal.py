# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of `extract`: each photograph with its faces, so that a stopped run can resume.

A file of JSON lines beside the faces. The first holds the folder and the settings of detection;
each other one is a photograph, appended when it was processed. A line that is damaged, as the one
that a crash cut off, is dropped, and its photograph is processed again; of several lines about one
photograph the last counts.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import numpy as np

from ffgan import storage
from ffgan.errors import Error, UsageError, escaped
from ffgan.extraction.chip_names import SCHEME, chip_name
from ffgan.extraction.output_files import cannot_write, write
from ffgan.extraction.perceptual_hash import HASH_BYTES
from ffgan.extraction.quality import Appearance
from ffgan.extraction.settings import Settings
from ffgan.faces.pose import Pose
from ffgan.images import COLOUR_NOTES, Colour, Colours
from ffgan.typing import Float32, Int32

NAME: Final = "extract.jsonl"
FORMAT: Final = "ffgan extract 1"

# Older versions took what the operating system said at that moment for a fault of the photograph.
_NO_FINDINGS: Final = frozenset(os.strerror(number) for number in errno.errorcode)

# What a line may hold: a journal may be damaged, or come from somebody else.
_LARGEST: Final = 2**63 - 1
_EMBEDDING_SIZE: Final = 128
_FARTHEST: Final = 2**27  # pixels, more than a side of any photograph
_LARGEST_SCALE: Final = 15  # so that a place in the whole photograph has 32 bits


@dataclass(slots=True)
class DetectedFace:
    """A detected face. Lengths and places are in pixels of the photograph as it was decoded.

    ``box``: left, top, right, bottom. ``points``: (5 or 68, 2), column and row. ``square``: what
    becomes the chip, as in `ffgan.faces.alignment`; ``outside``: the share of it beyond the
    photograph. ``turn``: by how many quarter turns clockwise the face lies there, and ``fits``:
    whether its landmarks do, as in `ffgan.faces.orientation`. ``embedding``: (128,) float32, on
    request. The rest is decided when all photographs are processed: the ``reason`` why the face is
    left out, or nothing; the chip of the face that it duplicates, ``same_as``; and the number of
    the ``person``.
    """

    box: tuple[int, int, int, int]
    confidence: float
    points: Int32
    square: tuple[float, float, float, float]
    outside: float
    pose: Pose
    appearance: Appearance
    hash: bytes
    embedding: Float32 | None = None
    reason: str = ""
    same_as: str = ""
    person: int | None = None
    turn: int = 0
    fits: bool = True


@dataclass(slots=True)
class Photo:
    """A photograph by its ``name`` below the folder, with its faces or the ``error`` it makes.

    ``size`` in bytes and ``mtime`` in nanoseconds tell whether the file has changed. ``scale``: 1,
    or by how much it was made smaller to be decoded. ``colours``: what became of its colours.
    """

    name: str
    size: int
    mtime: int
    rows: int = 0
    columns: int = 0
    scale: int = 1
    error: str = ""
    faces: list[DetectedFace] = field(default_factory=list)
    colours: Colours = "srgb"

    def chip(self, index: int, format: str) -> str:
        """The name of the file of face ``index``, below the output folder."""
        return chip_name(self.name, index, format)


class Journal:
    """The journal in ``folder``, which is made; a context that holds it against a second process.

    ``header``: the folder and the settings; ``photos``: by name, those of an earlier run too.
    ``earlier`` is the header of that run, None without one. Raises `UsageError` when the folder
    holds anything but faces of the same photographs, and `Error` when it cannot be written.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.path = folder / NAME
        self.header = {"format": FORMAT, "names": SCHEME, **header}
        self.earlier: dict[str, Any] | None = None
        self.photos: dict[str, Photo] = {}
        self._file: IO[str] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not self.path.exists() and any(map(_is_foreign, folder.iterdir())):
                raise UsageError(f"{folder} is not empty: give another folder")
            self._lock = storage.acquire_lock(folder)
        except FileExistsError:
            raise UsageError(f"{folder} is a file: give a folder") from None
        except BlockingIOError:
            raise Error(f"another process is extracting to {folder}: wait for it") from None
        except OSError as error:
            raise Error(
                f"cannot write to {folder}: {storage.reason(error)}: give another folder"
            ) from error
        try:
            if self.path.exists():
                self.earlier, self.photos = read(self.path)
            if self.earlier is not None and self.earlier["photos"] != header["photos"]:
                there = self.earlier["photos"]
                raise UsageError(f"{folder} holds the faces of {there}: give another folder")
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError:
            pass  # `add` has raised for the line that could not be written
        finally:
            os.close(self._lock)

    def rewrite(self) -> None:
        """Write the whole journal anew, without what no longer counts; `add` appends to it."""
        lines = [self.header, *(_to_json(photo) for photo in self.photos.values())]
        if self._file is not None:
            self._file.close()
        write(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        try:
            self._file = self.path.open("a", encoding="ascii")
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def add(self, photo: Photo) -> None:
        """Append a photograph that was processed; raises `Error`."""
        assert self._file is not None, "rewrite comes first"
        self.photos[photo.name] = photo
        try:
            self._file.write(json.dumps(_to_json(photo)) + "\n")
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from error


def earlier_colour(folder: Path) -> Colour | None:
    """What an earlier run to ``folder`` did with colours; None where there was none."""
    try:
        with (folder / NAME).open(encoding="ascii", errors="replace") as file:
            looked_for = json.loads(file.readline())["looked_for"]
            return "convert" if looked_for.get("colour") == "convert" else "ignore"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # opening the journal says what is wrong with it


def _is_foreign(path: Path) -> bool:
    """Whether a file is something else than what a killed process left of one."""
    return not any(path.match(pattern) for pattern in storage.TEMPORARY_FILES)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Photo]]:
    """Return the first line of a journal, and its photographs by name.

    Raises `UsageError` when it is something else, `Error` when it cannot be read.
    """
    photos: dict[str, Photo] = {}
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            header = _check_header(json.loads(file.readline()))
            for line in file:
                photo = _from_line(line)
                if photo is not None and photo.error not in _NO_FINDINGS:
                    photos[photo.name] = photo
        return header, photos
    except OSError as error:
        raise Error(f"cannot read {path}: {storage.reason(error)}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a journal of this version: give another output folder"
        ) from error


def outdated_by(before: dict[str, Any], settings: Settings, photos: dict[str, Photo]) -> list[str]:
    """The names of ``photos`` that are to be processed anew.

    ``before``: `Settings.detection` of the run that processed them.
    """
    now = settings.detection()
    if before == now:
        return []
    # Older versions turned no photograph: that matters where they found no face, and with the
    # network, which finds faces that lie on their side.
    if {"rotate": settings.rotate} | before == now and settings.detector == "hog":
        if settings.rotate == "never":
            return []
        if settings.rotate == "auto":
            return [name for name, photo in photos.items() if not (photo.faces or photo.error)]
    return list(photos)


def _from_line(line: str) -> Photo | None:
    """The photograph of a line, None for a damaged one."""
    if not line.endswith("\n"):
        return None
    try:
        return _from_json(json.loads(line))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _check_header(header: dict[str, Any]) -> dict[str, Any]:
    """The first line; raises ValueError, KeyError or TypeError where it is none."""
    if header["format"] != FORMAT:
        raise ValueError("another format")
    _text(header["photos"])
    if not isinstance(header["looked_for"], dict):
        raise TypeError("no settings of detection")
    if not _text(header["looked_for"].get("format", "jpg")).isalnum():
        raise ValueError("no format of faces")
    if "done" in header and not isinstance(header["done"]["chosen"], dict):
        raise TypeError("no settings of the selection")
    for value in header["done"]["result"].values() if "done" in header else ():
        for count in value.values() if isinstance(value, dict) else (value,):
            _whole(0 if count is None else count, 0, _LARGEST)
    return header


def _to_json(photo: Photo) -> dict[str, Any]:
    line: dict[str, Any] = {"name": photo.name, "size": photo.size, "mtime": photo.mtime}
    if photo.error:
        return line | {"error": photo.error}
    line |= {"rows": photo.rows, "columns": photo.columns, "scale": photo.scale}
    if photo.colours != "srgb":
        line["colours"] = photo.colours
    faces = []
    for face in photo.faces:
        entry: dict[str, Any] = {
            "box": face.box,
            "confidence": face.confidence,
            "points": face.points.tolist(),
            "square": face.square,
            "outside": face.outside,
            "pose": face.pose,
            "seen": face.appearance,
            "hash": face.hash.hex(),
        }
        if face.turn:
            entry["turn"] = face.turn
        if not face.fits:
            entry["fits"] = False
        if face.embedding is not None:
            entry["embedding"] = base64.b64encode(face.embedding.tobytes()).decode()
        faces.append(entry)
    return line | {"faces": faces}


def _from_json(line: dict[str, Any]) -> Photo:
    """A photograph by its line; raises ValueError, KeyError or TypeError for anything else."""
    photo = Photo(
        _name(line["name"]),
        _whole(line["size"], 0, _LARGEST),
        _whole(line["mtime"], -_LARGEST, _LARGEST),
        _whole(line.get("rows", 0), 0, _FARTHEST),
        _whole(line.get("columns", 0), 0, _FARTHEST),
        _whole(line.get("scale", 1), 1, _LARGEST_SCALE),
        escaped(_text(line.get("error", ""))),
        colours=_colours(line.get("colours", "srgb")),
    )
    for entry in line.get("faces", ()):
        left, top, right, bottom = (_place(side) for side in entry["box"])
        x, y, side, angle = (_real(value) for value in entry["square"])
        points = [(_place(x), _place(y)) for x, y in entry["points"]]
        if len(points) not in (5, 68) or side <= 0:
            raise ValueError("not the landmarks of a face")
        photo.faces.append(
            DetectedFace(
                (left, top, right, bottom),
                _real(entry["confidence"]),
                np.array(points, np.int32),
                (x, y, side, angle),
                _real(entry["outside"]),
                Pose(*map(_real, entry["pose"])),
                Appearance(*map(_real, entry["seen"])),
                _bytes(bytes.fromhex(entry["hash"]), HASH_BYTES),
                _embedding(entry["embedding"]) if "embedding" in entry else None,
                turn=_whole(entry.get("turn", 0), 0, 3),
                fits=bool(_whole(int(entry.get("fits", True)), 0, 1)),
            )
        )
    return photo


def _colours(value: Any) -> Colours:
    if value != "srgb" and value not in COLOUR_NOTES:
        raise ValueError("no word for what became of colours")
    found: Colours = value
    return found


def _name(value: object) -> str:
    """A name below the folder, and not of a file elsewhere: what is gone is removed by its name."""
    name = _text(value)
    parts = name.split("/")
    os.fsencode(name)
    if not name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise ValueError("not a name below a folder")
    return name


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError("not a whole number in its range")
    return value


def _place(value: object) -> int:
    return _whole(value, -_FARTHEST, _FARTHEST)


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        raise ValueError("not a number of pixels, degrees or levels")
    return value


def _bytes(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError("not of its length")
    return value


def _embedding(text: object) -> Float32:
    packed = base64.b64decode(_text(text), validate=True)
    vector = np.frombuffer(_bytes(packed, 4 * _EMBEDDING_SIZE), np.float32)
    if not np.isfinite(vector).all():
        raise ValueError("not finite")
    return vector
