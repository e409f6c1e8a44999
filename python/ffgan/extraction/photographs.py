# SPDX-License-Identifier: GPL-3.0-or-later
"""One photograph at a time: decode it, detect and measure its faces, cut out chips, embed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ffgan import faces, images
from ffgan.dataset import ImageFolder, printable
from ffgan.errors import DatasetError
from ffgan.extraction import quality
from ffgan.extraction.journal import DetectedFace, Photo
from ffgan.extraction.output_files import cannot_write, write
from ffgan.extraction.perceptual_hash import perceptual_hash
from ffgan.extraction.settings import Settings
from ffgan.faces import alignment
from ffgan.faces.pose import pose
from ffgan.typing import RGB, Points

LARGE: Final = 30_000_000
"""A photograph of more pixels is processed while no other such one is."""


class Photographs:
    """The photographs below a folder; safe to use from several threads.

    ``chips``: the folder that gets the chips, None to write none. ``index``: the place of each
    photograph by its name.
    """

    def __init__(self, folder: ImageFolder, chips: Path | None, settings: Settings) -> None:
        self.folder = folder
        self.chips = chips
        self.settings = settings
        self.index = {os.fsdecode(name): i for i, name in enumerate(folder.names)}
        self._large = threading.Lock()

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Return the size and the time of change of a photograph, None where it is gone."""
        if name not in self.index:
            return None
        try:
            status = os.stat(self.folder.directory / name)
        except OSError:
            return 0, 0  # reading it says why
        return status.st_size, status.st_mtime_ns

    def process(self, name: str) -> Photo:
        """Return a photograph with its faces, or with the reason why it cannot be read.

        The chips of those that no setting leaves out are written. Raises `Error`.
        """
        size, mtime = self.stamp(name) or (0, 0)
        photo = Photo(name, size, mtime)
        try:
            with self._opened(name) as (picture, photo.scale):
                photo.colours = picture.colours
                self._process(photo, picture.image)
        except DatasetError as error:
            photo.error = str(error)
        return photo

    def fault(self, photo: Photo, face: DetectedFace) -> str:
        """Return the reason to leave a face out by its own quality, or nothing."""
        side = face.square[2] * photo.scale
        return quality.fault(side, face.outside, face.pose, face.appearance, self.settings)

    def cut(self, photo: Photo, indices: list[int]) -> None:
        """Write the chips of some of the faces of a photograph that was processed before."""
        with self._again(photo.name) as image:
            self._cut(photo, image, indices)

    def chip(self, photo: Photo, face: DetectedFace) -> RGB:
        """Return the chip of a face of a photograph that was processed before."""
        with self._again(photo.name) as image:
            chip: RGB = faces.cut(image, np.array([face.square]), self.settings.chips[1])[0]
        return chip

    def embed(self, photo: Photo, indices: list[int]) -> None:
        """Compute the embeddings of some faces of a photograph that was processed before."""
        points = np.array([photo.faces[i].points for i in indices], np.int64)
        with self._again(photo.name) as image:
            aligned = _aligned(image, points)
        self._embed(photo, indices, aligned)

    def _process(self, photo: Photo, image: RGB) -> None:
        photo.rows, photo.columns = image.shape[:2]
        settings = self.settings
        boxes = faces.detect(
            image,
            upsample=settings.upsample,
            threshold=settings.confidence,
            detector=settings.detector,
            file=settings.detector_file,
        )
        kind, chip_size, padding = settings.chips
        points = faces.landmarks(
            image, boxes, count=68 if kind == "training" else 5, file=settings.landmarks
        )
        squares = alignment.squares(points, kind, size=chip_size, padding=padding)
        aligned = _aligned(image, points)
        for box, face_points, square, face in zip(boxes, points, squares, aligned, strict=True):
            photo.faces.append(
                DetectedFace(
                    (box.left, box.top, box.right, box.bottom),
                    round(box.confidence, 4),
                    face_points.astype(np.int32),  # half the memory, for millions of faces
                    (float(square[0]), float(square[1]), float(square[2]), float(square[3])),
                    round(alignment.outside(square, photo.rows, photo.columns), 4),
                    pose(face_points),
                    quality.appearance(face),
                    perceptual_hash(face),
                )
            )
        promising = [i for i, face in enumerate(photo.faces) if not self.fault(photo, face)]
        self._cut(photo, image, promising)
        if settings.embeds and promising:
            self._embed(photo, promising, aligned[promising])

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[tuple[images.Picture, int]]:
        """A photograph, upright, and by how much it was made smaller; raises DatasetError."""
        file = images.container(self.folder.read(self.index[name]))
        width, height = file.size
        # One large one at a time, so that memory does not grow with the cores.
        turn = self._large if width * height > LARGE else contextlib.nullcontext()
        with turn:
            colour = self.settings.colour or "convert"
            picture = images.decode_picture(file, reduce=True, colour=colour)
            yield picture, round(max(width, height) / max(picture.image.shape))

    @contextlib.contextmanager
    def _again(self, name: str) -> Iterator[RGB]:
        """A photograph that was processed before."""
        try:
            with self._opened(name) as (picture, _):
                yield picture.image
        except DatasetError as error:
            raise DatasetError(f"{printable(os.fsencode(name))} has changed: {error}") from error

    def _cut(self, photo: Photo, image: RGB, indices: list[int]) -> None:
        if self.chips is None or not indices:
            return
        squares = np.array([photo.faces[i].square for i in indices])
        cut = faces.cut(image, squares, self.settings.chips[1])
        for index, chip in zip(indices, cut, strict=True):
            path = self.chips / photo.chip(index, self.settings.format)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(path.parent, error) from error
            content = images.encode(chip, self.settings.format, self.settings.quality)
            # Not durable: there may be thousands, and after a crash they are cut out again.
            write(path, content, durable=False)

    def _embed(self, photo: Photo, indices: list[int], aligned: RGB) -> None:
        embeddings = faces.embed(aligned, file=self.settings.recognition)
        for index, embedding in zip(indices, embeddings, strict=True):
            photo.faces[index].embedding = embedding


def _aligned(image: RGB, points: Points) -> RGB:
    """The faces as dlib's recognition network takes them, in which appearance is measured."""
    size = faces.CHIP_SIZE
    return faces.cut(
        image, alignment.squares(points, "dlib", size=size, padding=faces.PADDING), size
    )
