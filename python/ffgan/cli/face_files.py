# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that `gen` writes: where they go, their names, and what they say about their making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffgan import __version__, images
from ffgan.cli.asked import face_text
from ffgan.cli.output import make_folder
from ffgan.errors import Error, UsageError
from ffgan.model import Face, Model
from ffgan.shapes import IMAGE_SIZE

DEFAULT_FOLDER = Path("generated")
"""Not one that the documents train on."""
# The scores of more faces do not fit a JPEG's comment.
MAX_SHEET_FACES = 2500
SUFFIXES = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}
FOREIGN_SUFFIXES = (".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jxl", ".ppm", ".pdf")


def origin(model: Model, truncation: float, threshold: float) -> dict[str, str]:
    """What all pictures of a run say about their making."""
    return {
        "software": "ffgan",
        "version": __version__,
        **model.origin,
        "truncation": f"{truncation:g}",
        "threshold": f"{threshold:g}",
    }


class FaceFiles:
    """The files of `count` faces, or with `sheet` one file of all.

    `out` is a folder, or the name of one file; None: `DEFAULT_FOLDER`. `size` is the side of a face
    in pixels, None: as generated. `origin` is metadata that all files share, `called` the name of a
    face that has no seed; `written` holds the files so far, in their order. Raises UsageError when
    the arguments contradict each other.
    """

    def __init__(
        self,
        out: Path | None,
        *,
        count: int,
        sheet: bool = False,
        format: str | None = None,
        quality: int = images.DEFAULT_QUALITY,
        size: int | None = None,
    ) -> None:
        self.folder = out or DEFAULT_FOLDER
        self.format = format or "png"
        self.quality = quality
        self.size = size
        self.origin: dict[str, str] = {}
        self.called: str | None = None
        self.written: dict[Path, None] = {}
        self._face: Path | None = None
        self._sheet: Path | None = None
        if out is not None and not out.is_dir():
            suffix = out.suffix.lower()
            if suffix in FOREIGN_SUFFIXES:
                raise UsageError(f"--out {out}: faces are written as png, jpg or webp")
            if suffix in SUFFIXES:
                if format not in (None, SUFFIXES[suffix]):
                    raise UsageError(f"--format {format} contradicts --out {out}")
                if count > 1 and not sheet:
                    raise UsageError(
                        f"--out {out} is one file, but {count} faces are asked for: give a folder, "
                        "or add --grid"
                    )
                self.folder = out.parent
                self.format = SUFFIXES[suffix]
                self._face, self._sheet = (None, out) if sheet else (out, None)
        if sheet and count > MAX_SHEET_FACES:
            raise UsageError(f"--grid holds up to {MAX_SHEET_FACES} faces, not {count}")
        if sheet and count * (size or IMAGE_SIZE) ** 2 > images.MAX_PIXELS:
            million = images.MAX_PIXELS // 1_000_000
            raise UsageError(
                f"--grid holds up to {million} million pixels: fewer faces or a smaller --size"
            )

    @property
    def place(self) -> Path:
        """The one file asked for, else the folder."""
        return self._face or self._sheet or self.folder

    def prepare(self) -> None:
        """Make the folder, so that a wrong one is found before the first face is drawn."""
        make_folder(self.folder)

    def save_face(self, face: Face) -> Path:
        """Write one face; returns its path. Raises Error when that fails."""
        path = self.folder / self.name(face) if self._face is None else self._face
        described = {"tries": str(face.tries), "score": f"{face.score:.4f}"}
        if self.called is None:
            described["seed"] = str(face.seed)
        described.update(face_text(face, self.origin.get("model", "")))
        self._save(path, self.sized(face), described)
        return path

    def name(self, face: Face) -> str:
        """The name of a face's file."""
        if self._face is not None:
            return self._face.name
        return f"face-{face.seed if self.called is None else self.called}.{self.format}"

    def save_sheet(self, faces: Sequence[Face]) -> Path:
        """Write one picture of all `faces`; returns its path. Raises Error when that fails."""
        first = faces[0].seed
        path = self._sheet or self.folder / f"faces-{first}-{len(faces)}.{self.format}"
        described = {
            "seed": str(first),
            "count": str(len(faces)),
            "tries": ",".join(str(face.tries) for face in faces),
            "score": ",".join(f"{face.score:.4f}" for face in faces),
        }
        self._save(path, images.grid(np.stack([self.sized(face) for face in faces])), described)
        return path

    def save_picture(
        self, stem: str, image: NDArray[np.uint8], described: Mapping[str, str]
    ) -> Path:
        """Write another picture of faces; returns its path. Raises Error when that fails."""
        path = self._sheet or self.folder / f"{stem}.{self.format}"
        self._save(path, image, dict(described))
        return path

    def sized(self, face: Face) -> NDArray[np.uint8]:
        """The face in the size of its file."""
        return face.image if self.size is None else images.resize(face.image, self.size)

    def _save(self, path: Path, image: NDArray[np.uint8], described: dict[str, str]) -> None:
        before = _inode(path)
        try:
            self.prepare()
            images.save(path, image, {**self.origin, **described}, self.quality)
            self.written[path] = None
        except Error as error:
            if not self.written:
                raise
            raise type(error)(f"{error}; files written before: {len(self.written)}") from error
        except KeyboardInterrupt:
            # It may have come when the new file stood in its place already.
            if _inode(path) not in (None, before):
                self.written[path] = None
            raise


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
