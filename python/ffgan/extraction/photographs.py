# SPDX-License-Identifier: GPL-3.0-or-later
"""One photograph at a time: decode it, detect and measure its faces, cut out chips, embed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ffgan import faces, images
from ffgan.dataset import ImageFolder
from ffgan.dataset.sources import MAX_FILE_BYTES
from ffgan.errors import DatasetError, UnavailableError
from ffgan.extraction import quality
from ffgan.extraction.journal import DetectedFace, Photo
from ffgan.extraction.output_files import cannot_write, write
from ffgan.extraction.perceptual_hash import perceptual_hash
from ffgan.extraction.settings import Settings
from ffgan.faces import alignment, orientation
from ffgan.faces.pose import pose
from ffgan.typing import RGB, Points

FILE_SHARE: Final = 64_000_000
"""Bytes for each thread that files may take; a larger one than all have together comes alone."""

SHARE: Final = 256_000_000
"""Likewise what decoding a photograph and searching it takes, besides."""

SEARCHING: Final = 7
"""Bytes for each pixel of a decoded photograph while it is searched.

Three are the photograph, one its halves and quarters, three the surroundings of a face as large.
"""


class Photographs:
    """The photographs below a folder; safe to use from several threads.

    ``chips``: the folder that gets the chips, None to write none. ``index``: the place of each
    photograph by its name. ``threads``: how many there are, as memory is shared among them.
    """

    def __init__(
        self, folder: ImageFolder, chips: Path | None, settings: Settings, threads: int
    ) -> None:
        self.folder = folder
        self.chips = chips
        self.settings = settings
        self.index = {os.fsdecode(name): i for i, name in enumerate(folder.names)}
        self._files = images.Room(threads * FILE_SHARE)
        self._room = images.Room(threads * SHARE)

    def stamp(self, name: str) -> tuple[int, int]:
        """Return the size and the time of change of a photograph; raises `UnavailableError`."""
        return self.folder.stamp(self.index[name])

    def process(self, name: str, known: Photo | None) -> Photo:
        """Return a photograph with its faces, or with what is wrong with the file.

        One that is ``known`` and has not changed is returned as it is. The chips of the faces that
        no setting leaves out are written. Raises `UnavailableError` for a photograph that cannot be
        read now or changes meanwhile, `Error` where a chip cannot be written.
        """
        stamp = self.stamp(name)
        if known is not None and (known.size, known.mtime) == stamp:
            return known
        photo = Photo(name, *stamp)
        try:
            with self._opened(name, stamp) as (picture, photo.scale):
                photo.colours = picture.colours
                self._process(photo, picture.image)
        except DatasetError as error:
            self._check(name, stamp)
            photo.error = str(error)
        return photo

    def fault(self, photo: Photo, face: DetectedFace) -> str:
        """Return the reason to leave a face out by its own quality, or nothing."""
        side = face.square[2] * photo.scale
        return quality.fault(
            side,
            face.outside,
            face.pose,
            face.appearance,
            self.settings,
            turned=bool(face.turn),
            fits=face.fits,
        )

    def cut(self, photo: Photo, indices: list[int]) -> None:
        """Write the chips of some of the faces of a photograph that was processed before.

        Here and in the following: raises `UnavailableError` for one that cannot be read now or has
        changed since.
        """
        with self._again(photo) as image:
            self._cut(photo, image, indices)

    def chip(self, photo: Photo, face: DetectedFace) -> RGB:
        """Return the chip of a face of a photograph that was processed before."""
        with self._again(photo) as image:
            chip: RGB = faces.cut(image, np.array([face.square]), self.settings.chips[1])[0]
        return chip

    def embed(self, photo: Photo, indices: list[int]) -> None:
        """Compute the embeddings of some faces of a photograph that was processed before."""
        points = np.array([photo.faces[i].points for i in indices], np.int64)
        with self._again(photo) as image:
            aligned = _aligned(image, points)
        self._embed(photo, indices, aligned)

    def _process(self, photo: Photo, image: RGB) -> None:
        photo.rows, photo.columns = image.shape[:2]
        settings = self.settings
        kind, chip_size, padding = settings.chips
        found = orientation.find(
            image,
            rotate=settings.rotate,
            upsample=settings.upsample,
            threshold=settings.confidence,
            detector=settings.detector,
            detector_file=settings.detector_file,
            count=68 if kind == "training" else 5,
            landmarks_file=settings.landmarks,
        )
        points = np.array([face.points for face in found], np.int64)
        points = points if found else points.reshape(0, 68, 2)
        squares = alignment.squares(points, kind, size=chip_size, padding=padding)
        aligned = _aligned(image, points)
        for one, square, face in zip(found, squares, aligned, strict=True):
            box = one.box
            photo.faces.append(
                DetectedFace(
                    (box.left, box.top, box.right, box.bottom),
                    round(box.confidence, 4),
                    one.points.astype(np.int32),  # half the memory, for millions of faces
                    (float(square[0]), float(square[1]), float(square[2]), float(square[3])),
                    round(alignment.outside(square, photo.rows, photo.columns), 4),
                    pose(one.points),
                    quality.appearance(face),
                    perceptual_hash(face),
                    turn=one.turn,
                    fits=one.fits,
                )
            )
        promising = [i for i, face in enumerate(photo.faces) if not self.fault(photo, face)]
        self._cut(photo, image, promising)
        if settings.embeds and promising:
            self._embed(photo, promising, aligned[promising])

    @contextlib.contextmanager
    def _opened(self, name: str, stamp: tuple[int, int]) -> Iterator[tuple[images.Picture, int]]:
        """A photograph, upright, and by how much it was made smaller.

        Raises `DatasetError`, and `UnavailableError` for another one than that of the ``stamp``.
        """
        with contextlib.ExitStack() as stack:
            with self._files.hold(min(stamp[0], MAX_FILE_BYTES)):
                file = images.container(self.folder.read(self.index[name]))
                self._check(name, stamp)
                width, height = file.size
                pixels = min(width * height, images.MAX_PIXELS)
                need = max(images.memory_of(file, reduce=True), SEARCHING * pixels)
                stack.enter_context(self._room.hold(need))
                colour = self.settings.colour or "convert"
                picture = images.decode_picture(file, reduce=True, colour=colour)
                del file
            yield picture, round(max(width, height) / max(picture.image.shape))

    def _check(self, name: str, stamp: tuple[int, int]) -> None:
        if self.stamp(name) != stamp:
            raise UnavailableError(f"cannot read {name}: it is being changed")

    @contextlib.contextmanager
    def _again(self, photo: Photo) -> Iterator[RGB]:
        """A photograph that was processed before."""
        try:
            if photo.name not in self.index:
                raise UnavailableError(f"cannot read {photo.name}: it is out of reach")
            with self._opened(photo.name, (photo.size, photo.mtime)) as (picture, _):
                yield picture.image
        except DatasetError as error:
            raise UnavailableError(f"cannot read {photo.name}: {error}") from error

    def _cut(self, photo: Photo, image: RGB, indices: list[int]) -> None:
        if self.chips is None or not indices:
            return
        for index in indices:
            # One by one: a chip may take 50 MB, and there may be hundreds.
            [chip] = faces.cut(image, np.array([photo.faces[index].square]), self.settings.chips[1])
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
