# SPDX-License-Identifier: GPL-3.0-or-later
"""An extraction from a folder of photographs to the folder of faces: detect, select, write."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffgan import _core, faces, images
from ffgan.dataset import ImageFolder, printable
from ffgan.errors import Error, UsageError
from ffgan.extraction.contact_sheet import contact_sheet
from ffgan.extraction.journal import NAME as JOURNAL
from ffgan.extraction.journal import Journal, Photo, earlier_colour
from ffgan.extraction.journal import read as read_journal
from ffgan.extraction.manifest import manifest
from ffgan.extraction.output_files import write
from ffgan.extraction.parallel import Workers
from ffgan.extraction.photographs import Photographs
from ffgan.extraction.selection import REASONS, Place, select
from ffgan.extraction.settings import Settings
from ffgan.extraction.summary import SKIPPED, Extracted
from ffgan.interruption import Interruption
from ffgan.typing import RGB, ProgressCallback

MANIFEST: Final = "manifest.csv"
SHEET: Final = "contact-sheet.html"
EMBEDDINGS: Final = "embeddings.npy"

logger = logging.getLogger("ffgan.extraction")


def extract(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    progress: ProgressCallback = lambda what, done, total: None,
    **settings: Any,
) -> Extracted:
    """Cut the faces out of all photographs below ``photos``, into the folder ``out``.

    Other keyword arguments are fields of `Settings`. ``out`` gets the faces, named after their
    photographs, a manifest, a contact sheet and the journal; an earlier run with the same
    photographs is resumed. With ``dry_run`` everything is processed and nothing written.
    ``progress`` is called with what is being done, how much of it is done, and how much there is;
    notices are logged under "ffgan.extraction".

    Raises `DatasetError` for a folder without photographs, `UsageError` for other bad input,
    `ExtraError` and `ModelError` without dlib's files, `Error` when something cannot be written,
    `Interrupted` after SIGINT or SIGTERM.
    """
    chosen = Settings(**settings)
    target = Path(os.path.abspath(out))
    source = Path(os.path.abspath(photos))
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise UsageError(f"{out} lies in {photos}: its faces would be taken for photographs")
    if chosen.colour is None:
        chosen = chosen.replace(colour=earlier_colour(target) or "convert")
    _require_files(chosen)
    folder = ImageFolder(source)
    header = {"photos": printable(os.fsencode(source)), "looked_for": chosen.detection()}
    with contextlib.ExitStack() as stack:
        interruption = stack.enter_context(Interruption("finishing the current photographs"))
        journal = None if dry_run else stack.enter_context(Journal(target, header))
        workers = Workers(
            chosen.threads or int(_core.engine()["threads"]),
            interruption,
            progress,
            "nothing written" if dry_run else "the same command resumes",
        )
        run = _Extraction(folder, target, chosen, journal, workers)
        if journal is None and (target / JOURNAL).exists():
            earlier, done = read_journal(target / JOURNAL)
            if {name: earlier.get(name) for name in header} == header:
                run.photos = done
        run.forget_the_changed()
        if (known := run.known()) is not None:
            return known
        if journal is not None:
            journal.rewrite()
        run.detect()
        run.select()
        run.finish()
        return run.result()


class _Extraction:
    """One run of `extract`. ``photos``: the photographs that were processed, by name."""

    def __init__(
        self,
        folder: ImageFolder,
        out: Path,
        settings: Settings,
        journal: Journal | None,
        workers: Workers,
    ) -> None:
        self.folder = folder
        self.out = out
        self.settings = settings
        self.journal = journal
        self.workers = workers
        self.source = Photographs(folder, None if journal is None else out, settings)
        self.names = list(self.source.index)
        self.photos: dict[str, Photo] = {} if journal is None else journal.photos
        self.processed = 0
        self.changed = False

    def forget_the_changed(self) -> None:
        """Drop what is known of photographs that are gone or changed, and remove their chips."""
        journal = self.journal
        if journal is not None and journal.earlier is not None:
            before, now = journal.earlier["looked_for"], journal.header["looked_for"]
            if before != now:
                self._forget(list(self.photos), before.get("format", self.settings.format))
        gone = [
            name
            for name, photo in self.photos.items()
            if self.source.stamp(name) != (photo.size, photo.mtime)
        ]
        self._forget(gone, self.settings.format)
        self.changed = bool(gone)

    def known(self) -> Extracted | None:
        """The result of an earlier run, where nothing is left to be done."""
        if self.journal is None or self.journal.earlier is None or self.changed:
            return None
        done = self.journal.earlier.get("done")
        if done is None or self.journal.earlier["looked_for"] != self.settings.detection():
            return None
        if done["chosen"] != self.settings.selection() or self.photos.keys() != set(self.names):
            return None
        result = {"looked_at": 0, "summary": self.folder.found} | done["result"]
        try:
            return Extracted(**result)
        except TypeError:  # of a version with other figures
            return None

    def _forget(self, names: list[str], format: str) -> None:
        for name in names:
            photo = self.photos.pop(name)
            if self.journal is not None:
                for index in range(len(photo.faces)):
                    self._remove(photo.chip(index, format))

    def detect(self) -> None:
        """Process all photographs that were not processed before."""
        missing = [name for name in self.names if name not in self.photos]
        if len(missing) < len(self.names) and missing:
            done = len(self.names) - len(missing)
            logger.info(
                "resuming: %s of %s photographs are done", f"{done:,}", f"{len(self.names):,}"
            )
        for photo in self.workers.map("detecting faces", self.source.process, missing):
            self.processed += 1
            if self.journal is None:
                self.photos[photo.name] = photo
            else:
                self.journal.add(photo)

    def select(self) -> None:
        """Decide of each face whether it is kept."""
        select(self._ordered(), self.settings, self.source.fault, self._embed)

    def _embed(self, places: list[Place]) -> None:
        missing = _by_photo(places)

        def embed(photo: Photo) -> None:
            self.source.embed(photo, missing[photo.name])

        self._for_each("embedding faces", embed, missing)

    def finish(self) -> None:
        """Bring the output folder to what was decided."""
        if self.journal is None:
            return
        format = self.settings.format
        missing: list[Place] = []
        ordered = self._ordered()
        for photo in ordered:
            for index, face in enumerate(photo.faces):
                chip = photo.chip(index, format)
                if face.reason:
                    self._remove(chip)
                elif not (self.out / chip).exists():
                    missing.append((photo, index))
        of_photo = _by_photo(missing)

        def cut(photo: Photo) -> None:
            self.source.cut(photo, of_photo[photo.name])

        self._for_each("cutting out faces", cut, of_photo)
        self._store_embeddings(ordered)
        write(self.out / MANIFEST, manifest(ordered, format).encode())
        lines = [f"{printable(name)}\t{reason}\n" for name, reason in self.folder.unreadable]
        lines += [
            f"{printable(os.fsencode(photo.name))}\t{photo.error}\n"
            for photo in ordered
            if photo.error
        ]
        write(self.out / SKIPPED, "".join(lines).encode())
        if self.settings.sheet:
            write(self.out / SHEET, self._sheet(ordered).encode())
        result = asdict(self.result())
        del result["looked_at"], result["summary"]
        self.journal.header["done"] = {"chosen": self.settings.selection(), "result": result}
        self.journal.rewrite()

    def _store_embeddings(self, ordered: Sequence[Photo]) -> None:
        path = self.out / EMBEDDINGS
        stored = [face.embedding for photo in ordered for face in photo.faces]
        if self.settings.embeddings:
            known = [embedding for embedding in stored if embedding is not None]
            content = io.BytesIO()
            np.save(content, np.array(known, np.float32).reshape(-1, 128))
            write(path, content.getvalue())
            return
        self._remove(EMBEDDINGS)
        for photo in ordered:
            for face in photo.faces:
                face.embedding = None

    def _remove(self, name: str) -> None:
        try:
            (self.out / name).unlink(missing_ok=True)
        except OSError as error:
            raise Error(f"cannot remove {self.out / name}: {error.strerror}") from error

    def _sheet(self, ordered: Sequence[Photo]) -> str:
        shown: list[tuple[str, int, list[Place]]] = []
        for reason in ("", *REASONS):
            members = [
                (photo, index)
                for photo in ordered
                for index, face in enumerate(photo.faces)
                if face.reason == reason
            ]
            if members:
                spread = np.linspace(0, len(members) - 1, min(len(members), self.settings.sheet))
                some = [members[int(i)] for i in spread]
                shown.append((reason or "kept", len(members), some))
        places = [place for _, _, some in shown for place in some]
        thumbnails = self.workers.map("contact sheet", self._thumbnail, places)
        groups = [(title, count, [next(thumbnails) for _ in some]) for title, count, some in shown]
        for _ in thumbnails:  # to its end, where an interruption is raised
            pass
        return contact_sheet(groups, len(self.names))

    def _thumbnail(self, place: Place) -> tuple[str, RGB]:
        photo, index = place
        face = photo.faces[index]
        if face.reason:
            chip = self.source.chip(photo, face)
        else:
            path = self.out / photo.chip(index, self.settings.format)
            try:
                chip = images.decode(path.read_bytes())
            except OSError as error:
                raise Error(f"cannot read {path}: {error.strerror}: run again") from error
        caption = (
            f"{printable(os.fsencode(photo.name))}: {round(face.square[2] * photo.scale)} pixels, "
            f"sharpness {face.appearance.sharpness:.2f}, yaw {face.pose.yaw:.0f}, "
            f"pitch {face.pose.pitch:.0f}, light {face.appearance.light:.0f}"
        )
        return caption, chip

    def result(self) -> Extracted:
        """What was found and kept."""
        ordered = self._ordered()
        every = [face for photo in ordered for face in photo.faces]
        counts = Counter(face.reason for face in every)
        people = {face.person for face in every if face.person is not None}
        return Extracted(
            photos=len(self.names),
            broken=sum(bool(photo.error) for photo in ordered),
            looked_at=self.processed,
            found=len(every),
            kept=counts[""],
            reasons={reason: counts[reason] for reason in REASONS if counts[reason]},
            people=len(people) if self.settings.embeds else None,
            summary=self.folder.found,
            colours=dict(Counter(photo.colours for photo in ordered if photo.colours != "srgb")),
        )

    def _ordered(self) -> list[Photo]:
        return [self.photos[name] for name in self.names]

    def _for_each(
        self, what: str, work: Callable[[Photo], None], missing: dict[str, list[int]]
    ) -> None:
        for _ in self.workers.map(what, work, [self.photos[name] for name in missing]):
            pass


def _by_photo(places: Sequence[Place]) -> dict[str, list[int]]:
    """The indices of faces by the name of their photograph."""
    result: dict[str, list[int]] = {}
    for photo, index in places:
        result.setdefault(photo.name, []).append(index)
    return result


def _require_files(settings: Settings) -> None:
    """Raise ExtraError for what is missing, before any photograph is processed."""
    points = faces.LANDMARKS_68_FILE if settings.chips[0] == "training" else faces.LANDMARKS_FILE
    faces.model_file(points, settings.landmarks)
    if settings.detector == "cnn":
        faces.model_file(faces.CNN_FILE, settings.detector_file)
    if settings.embeds:
        faces.model_file(faces.EMBEDDING_FILE, settings.recognition)
