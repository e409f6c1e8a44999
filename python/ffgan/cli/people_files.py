# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of `gen --identities`: a folder for each person, a manifest, and how they were made.

A person's rows are added to the manifest when all of its pictures are there, so a later run goes on
after the last whole person. What a run leaves that is stopped has rows, too.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ffgan import images, storage
from ffgan.errors import Error, UsageError
from ffgan.model import Model
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import RGB, Float32

if TYPE_CHECKING:
    from ffgan.control import Picture

FORMAT: Final = 1
SETTINGS: Final = "settings.json"
MANIFEST: Final = "manifest.jsonl"

Row = dict[str, Any]


class PeopleFiles:
    """A folder of people that is written, and locked against other processes.

    ``settings`` and ``common``, the metadata that all pictures share, are to be those of what lies
    there already. ``people`` holds the rows of the whole ones. A context: at its end all that was
    made is in the manifest. Raises `UsageError` for a folder with other settings, `Error` where it
    cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        common: Mapping[str, str],
        seed: int | None,
        random_seed: Callable[[], int],
    ) -> None:
        self.folder = folder
        self.people: list[list[Row]] = []
        self.made_again = 0
        self._settings = dict(settings)
        self._common = dict(common)
        self._rows: list[Row] = []
        self._lock = self._locked()
        try:
            self.seed = self._read(seed, random_seed)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> PeopleFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._append()
        finally:
            os.close(self._lock)

    def add(self, picture: Picture) -> None:
        """Write a picture; with the last of a person its rows. Raises `Error`."""
        person, face = picture.person, picture.face
        if picture.number == 0 and self._rows:
            self._append()
        row: Row = {
            "identity": person.number + 1,
            "image": picture.number + 1,
            "file": self._name(person.number, picture.number),
            "seed": person.seed,
            "distance": round(picture.distance, 4),
            "farthest": round(picture.farthest, 4),
            "nearest": round(picture.nearest, 4) if math.isfinite(picture.nearest) else None,
            "attempts": picture.attempts,
            "attributes": {
                name: None if math.isnan(one) else float(f"{one:.5g}")  # JSON has no NaN
                for name, one in picture.attributes.items()
            },
            "latent": [float(str(one)) for one in face.latent],
        }
        self._save(row, face.image)
        self._rows.append(row)
        if len(self._rows) == self._settings["images"]:
            self.people.append(self._rows)
            self._append()

    def restored(
        self, model: Model, people: Sequence[Sequence[Row]]
    ) -> Iterator[tuple[int, Float32]]:
        """Make the missing pictures of ``people`` again; yield the seed and latent of each."""
        for rows in people:
            for row in rows:
                if not (self.folder / row["file"]).exists():
                    self._save(row, model.render(_latent(row)[None])[0])
                    self.made_again += 1
            yield rows[0]["seed"], _latent(rows[0])

    def _name(self, person: int, picture: int) -> str:
        suffix = self._settings["format"]
        return f"person-{person + 1:04d}/{picture + 1:04d}.{suffix}"

    def _save(self, row: Row, image: RGB) -> None:
        path = self.folder / row["file"]
        size = self._settings["size"]
        described = {
            **self._common,
            "identity": str(row["identity"]),
            "image": str(row["image"]),
            "seed": str(row["seed"]),
        }
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise self._cannot(f"make {path.parent}", error) from error
        sized = image if size is None else images.resize(image, size)
        images.save(path, sized, described, self._settings["quality"])

    def _append(self) -> None:
        """Add the rows of the person in work to the manifest, at once."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        path = self.folder / MANIFEST
        try:
            with path.open("ab") as file:
                file.write(_lines(rows))
                file.flush()
                storage.synchronise(file.fileno(), path)
        except OSError as error:
            raise self._cannot(f"write {path}", error) from error

    def _locked(self) -> int:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return storage.acquire_lock(self.folder)
        except FileExistsError:
            raise UsageError(f"{self.folder} is not a folder: give another --out") from None
        except BlockingIOError:
            raise Error(
                f"another process writes to {self.folder}: wait, or give another --out"
            ) from None
        except OSError as error:
            raise self._cannot(f"write to {self.folder}", error) from error

    def _read(self, seed: int | None, random_seed: Callable[[], int]) -> int:
        """Take what lies there, and return the seed of the first person."""
        path = self.folder / SETTINGS
        mine = {"format_version": FORMAT, **self._common, **self._settings}
        del mine["version"]  # a newer one may go on
        try:
            if not path.exists():
                chosen = random_seed() if seed is None else seed
                content = json.dumps({**mine, "seed": chosen}, indent=1, sort_keys=True)
                storage.write_atomically(path, content.encode() + b"\n")
                self._start_anew([])
                return chosen
            found = json.loads(path.read_bytes())
        except OSError as error:
            raise self._cannot(f"read or write {path}", error) from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path} is damaged: give another --out") from error
        there = found.pop("seed", None) if isinstance(found, dict) else None
        if not isinstance(there, int):
            raise UsageError(f"{path} is damaged: give another --out")
        for name, value in {**mine, "seed": there if seed is None else seed}.items():
            other = there if name == "seed" else found.get(name)
            if other != value:
                raise UsageError(
                    f"{self.folder} holds people made otherwise ({name} {other}, not {value}): "
                    "give another --out"
                )
        self.people = self._whole_people()
        self._start_anew([row for rows in self.people for row in rows])
        return there

    def _whole_people(self) -> list[list[Row]]:
        """The rows of the people before the first that is not whole."""
        path = self.folder / MANIFEST
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
        except OSError as error:
            raise self._cannot(f"read {path}", error) from error
        people: list[list[Row]] = []
        rows: list[Row] = []
        for line in lines:
            person, picture = len(people), len(rows)
            row = _row(line)
            if row is None or row["file"] != self._name(person, picture):
                break
            rows.append(row)
            if len(rows) == self._settings["images"]:
                people.append(rows)
                rows = []
        return people

    def _start_anew(self, rows: Sequence[Row]) -> None:
        path = self.folder / MANIFEST
        content = _lines(rows)
        try:
            if not (path.exists() and path.read_bytes() == content):
                storage.write_atomically(path, content)
        except OSError as error:
            raise self._cannot(f"write {path}", error) from error

    def _cannot(self, what: str, error: OSError) -> Error:
        return Error(
            f"cannot {what}: {storage.reason(error)}; "
            + storage.way_out(error, "give another --out")
        )


def _lines(rows: Sequence[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _latent(row: Row) -> Float32:
    return np.array(row["latent"], np.float32)


def _row(line: bytes) -> Row | None:
    """A row of the manifest, None for what is none."""
    try:
        row = json.loads(line)
        latent = _latent(row)
        good = latent.shape == (LATENT_SIZE,) and bool(np.isfinite(latent).all())
        good = good and isinstance(row["seed"], int) and isinstance(row["file"], str)
        good = good and {"identity", "image"} <= row.keys()
        return row if good else None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
