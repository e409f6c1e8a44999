# SPDX-License-Identifier: GPL-3.0-or-later
"""An extraction from a folder of photographs to the folder of faces: detect, select, write."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from ffgan import _core, faces, images, storage
from ffgan.dataset import ImageFolder, printable
from ffgan.errors import Error, UnavailableError, UsageError
from ffgan.extraction.absent import absence
from ffgan.extraction.chip_names import SCHEME, renamings
from ffgan.extraction.contact_sheet import contact_sheet
from ffgan.extraction.journal import NAME as JOURNAL
from ffgan.extraction.journal import Journal, Photo, earlier_colour, outdated_by
from ffgan.extraction.journal import read as read_journal
from ffgan.extraction.manifest import manifest
from ffgan.extraction.outage import Outage, Unread, unread
from ffgan.extraction.output_files import cannot_write, write
from ffgan.extraction.parallel import Workers
from ffgan.extraction.photographs import Photographs
from ffgan.extraction.selection import OUT_OF_REACH, REASONS, Place, select
from ffgan.extraction.settings import Settings
from ffgan.extraction.summary import SKIPPED, WITHOUT_FACE, Extracted
from ffgan.interruption import Interruption
from ffgan.locations import GivenPlace, locate, shown
from ffgan.typing import RGB, ProgressCallback

MANIFEST: Final = "manifest.csv"
SHEET: Final = "contact-sheet.html"
EMBEDDINGS: Final = "embeddings.npy"

Done = TypeVar("Done")

logger = logging.getLogger("ffgan.extraction")


def extract(
    photos: GivenPlace,
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
    `ExtraError` and `ModelError` without dlib's files, `UnavailableError` when the photographs
    cannot be read for longer than is waited for, `Error` when something cannot be written,
    `Interrupted` after SIGINT, SIGTERM or SIGHUP.
    """
    chosen = Settings(**settings)
    target = locate(out)
    if not isinstance(target, Path):
        raise UsageError(f"{out} is a URL: give a folder on this machine for the faces")
    source = locate(photos)
    if isinstance(source, Path) and target.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out} lies in {photos}: its faces would be taken for photographs")
    if chosen.colour is None:
        chosen = chosen.replace(colour=earlier_colour(target) or "convert")
    _require_files(chosen)
    folder = ImageFolder(source)
    header = {"photos": shown(source), "looked_for": chosen.detection()}
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
            if earlier["photos"] == header["photos"]:
                run.earlier, run.photos = earlier, done
        run.forget_the_outdated()
        if (known := run.known()) is not None:
            return known
        if journal is not None:
            journal.rewrite()
        run.detect()
        run.select()
        run.finish()
        return run.result()


class _Extraction:
    """One run of `extract`. ``photos``: the photographs that were processed, by name.

    ``unread``: those that could not be read in this run; ``away``: those of an earlier run that are
    out of reach; both by name, with the reason.
    """

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
        self.source = Photographs(folder, None if journal is None else out, settings, workers.count)
        self.names = list(self.source.index)
        self.earlier = None if journal is None else journal.earlier
        self.photos: dict[str, Photo] = {} if journal is None else journal.photos
        self.unread: dict[str, str] = {}
        self.away: dict[str, str] = {}
        self.outage = Outage(folder, workers.interruption)
        self.processed = 0
        self.changed = False

    def forget_the_outdated(self) -> None:
        """Drop what was found with other settings and in photographs that are gone, with its chips.

        Raises `UnavailableError` when that would lose faces that cannot be cut out again now.
        """
        self._remove_leftovers()
        self._rename_chips()
        for name in [n for n, photo in self.photos.items() if images.lacks_extra(photo.error)]:
            del self.photos[name]  # it may be installed now
        reason = absence(self.folder)
        missing = [name for name in self.photos if name not in self.source.index]
        self.away = {name: why for name in missing if (why := reason(name))}
        gone = [name for name in missing if name not in self.away]
        self.changed |= bool(gone)
        if self.earlier is None:
            return
        before = self.earlier["looked_for"]
        format = before.get("format", self.settings.format)
        self._forget(gone, format)
        outdated = outdated_by(before, self.settings, self.photos)
        lost = [name for name in outdated if name in self.away]
        if lost and self.journal is not None:
            name = printable(os.fsencode(lost[0]))
            raise UnavailableError(
                f"{len(lost):,} photographs of an earlier run are out of reach, as {name} "
                f"({self.away[lost[0]]}), and other settings cut out their faces anew: make them "
                "readable, or give another output folder"
            )
        self._forget(outdated, format)

    def _remove_leftovers(self) -> None:
        """Remove what a killed process left of files that it was writing."""
        if self.journal is None:
            return
        folders = [self.out]
        if self.earlier is not None and "done" not in self.earlier:
            folders = [Path(folder) for folder, _, _ in os.walk(self.out)]
        for folder in folders:
            try:
                storage.remove_temporary_files(folder)
            except OSError as error:
                raise cannot_write(folder, error) from error

    def _rename_chips(self) -> None:
        """Bring the faces of an earlier version to their present names."""
        if self.journal is None or self.earlier is None or self.earlier.get("names") == SCHEME:
            return
        self.changed = True  # the manifest has their names
        format = self.earlier["looked_for"].get("format", self.settings.format)
        faces = ((photo.name, len(photo.faces)) for photo in self.photos.values())
        for before, after in renamings(faces, format):
            path = self.out / before
            try:
                if path.exists() and not (self.out / after).exists():
                    path.rename(self.out / after)
            except OSError as error:
                raise cannot_write(path, error) from error

    def known(self) -> Extracted | None:
        """The result of an earlier run, where nothing is left to be done."""
        if self.journal is None or self.earlier is None or self.changed:
            return None
        if self.earlier["looked_for"] != self.settings.detection():
            return None
        if self.photos.keys() != set(self.names) or any(map(self._is_new, self.names)):
            return None
        try:
            done = self.earlier["done"]
            if done["chosen"] != self.settings.selection():
                return None
            return Extracted(**{"looked_at": 0, "summary": self.folder.found} | done["result"])
        except (KeyError, TypeError):  # stopped before its end, or of another version
            return None

    def _is_new(self, name: str) -> bool:
        """Whether a photograph is to be processed, as far as can be told."""
        known = self.photos.get(name)
        try:
            return known is None or self.source.stamp(name) != (known.size, known.mtime)
        except UnavailableError:
            return True

    def _forget(self, names: list[str], format: str) -> None:
        for name in names:
            photo = self.photos.pop(name)
            if self.journal is not None:
                for index in range(len(photo.faces)):
                    self._remove(photo.chip(index, format))

    def detect(self) -> None:
        """Process all photographs that were not processed before, or have changed since."""
        missing = [name for name in self.names if self._is_new(name)]
        if len(missing) < len(self.names) and missing:
            done = len(self.names) - len(missing)
            logger.info(
                "resuming: %s of %s photographs are done", f"{done:,}", f"{len(self.names):,}"
            )
        self._process(missing)
        if again := list(self.unread):  # it may have been a moment's
            self._process(again)
        if len(self.unread) == len(self.names) and not self.photos:
            name, reason = next(iter(self.unread.items()))
            raise UnavailableError(
                f"none of the photographs can be read now, as {printable(os.fsencode(name))} "
                f"({reason}): the same command tries them again"
            )

    def _process(self, names: list[str]) -> None:
        for name, photo in self._for_each(
            "detecting faces",
            lambda name: self.source.process(name, self.photos.get(name)),
            names,
        ):
            known = self.photos.get(name)
            if photo is None or photo is known:
                continue
            self.processed += 1
            if self.journal is None:
                self.photos[name] = photo
                continue
            if known is not None:
                for index in range(len(photo.faces), len(known.faces)):
                    self._remove(known.chip(index, self.settings.format))
            self.journal.add(photo)

    def select(self) -> None:
        """Decide of each face whether it is kept."""
        select(self._ordered(), self.settings, self.source.fault, self._embed)

    def _embed(self, places: list[Place]) -> None:
        missing = _by_photo(places)

        for _ in self._for_each(
            "embedding faces",
            lambda name: self.source.embed(self.photos[name], missing[name]),
            list(missing),
        ):
            pass

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
                elif not self._is_there(chip):
                    missing.append((photo, index))
        of_photo = _by_photo(missing)
        for _ in self._for_each(
            "cutting out faces",
            lambda name: self.source.cut(self.photos[name], of_photo[name]),
            list(of_photo),
        ):
            pass
        for photo, index in missing:
            if not self._is_there(photo.chip(index, format)):
                photo.faces[index].reason = OUT_OF_REACH
        self._store_embeddings(ordered)
        write(self.out / MANIFEST, manifest(ordered, format).encode())
        write(self.out / SKIPPED, self._skipped(ordered).encode())
        without = (photo.name for photo in ordered if not (photo.faces or photo.error))
        lines = (f"{printable(os.fsencode(name))}\n" for name in without)
        write(self.out / WITHOUT_FACE, "".join(lines).encode())
        if self.settings.sheet:
            write(self.out / SHEET, self._sheet(ordered).encode())
        else:
            self._remove(SHEET)
        if not self.unread and not self.away:
            result = asdict(self.result())
            del result["looked_at"], result["summary"]
            self.journal.header["done"] = {"chosen": self.settings.selection(), "result": result}
        self.journal.rewrite()

    def _skipped(self, ordered: Sequence[Photo]) -> str:
        """The photographs that were not used, and why: the text of `SKIPPED`."""
        lines = [*self.folder.unreadable]
        lines += [(os.fsencode(photo.name), photo.error) for photo in ordered if photo.error]
        for names, note in ((self.unread, "cannot be read now"), (self.away, "out of reach")):
            lines += [(os.fsencode(name), f"{note}: {reason}") for name, reason in names.items()]
        return "".join(f"{printable(name)}\t{reason}\n" for name, reason in lines)

    def _is_there(self, chip: str) -> bool:
        """Whether a chip is there; an empty one is what a crash of the machine left of it."""
        try:
            return (self.out / chip).stat().st_size > 0
        except OSError:
            return False

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
        groups = [
            (title, count, [each for _ in some if (each := next(thumbnails)) is not None])
            for title, count, some in shown
        ]
        for _ in thumbnails:  # to its end, where an interruption is raised
            pass
        return contact_sheet(groups, len(self.names))

    def _thumbnail(self, place: Place) -> tuple[str, RGB] | None:
        """A caption and a chip, or nothing where the photograph cannot be read now."""
        photo, index = place
        face = photo.faces[index]
        if face.reason:
            try:
                chip = self.source.chip(photo, face)
            except UnavailableError:
                return None
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
            without_face=sum(not (photo.faces or photo.error) for photo in ordered),
            turned=sum(bool(face.turn) for face in every if not face.reason),
            unavailable=len(self.unread),
            away=len(self.away),
        )

    def _ordered(self) -> list[Photo]:
        return [self.photos[name] for name in sorted(self.photos, key=os.fsencode)]

    def _for_each(
        self, what: str, work: Callable[[str], Done], names: list[str]
    ) -> Iterator[tuple[str, Done | None]]:
        """Yield each name and what ``work`` makes of its photograph, None where it cannot be read.

        `unread` has these, with the reason. Raises `UnavailableError` in an outage.
        """

        def attempt(name: str) -> tuple[Done | None, Unread | None]:
            try:
                return work(name), None
            except UnavailableError as error:
                return None, unread(self.folder, name, error)

        attempts = self.workers.map(what, attempt, names)
        for name, (done, failure) in zip(names, attempts, strict=True):
            if failure is None:
                self.unread.pop(name, None)
            elif name not in self.away:
                self.unread[name] = failure.reason
            try:
                self.outage.saw(failure)
            except UnavailableError as error:
                raise UnavailableError(f"stopped {what}, {error}; nothing is lost") from error
            yield name, done


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
