# SPDX-License-Identifier: GPL-3.0-or-later
"""From photographs to a training set: find the faces, cut them out upright, leave out the bad ones.

`extract` looks at each photograph once, on all cores, and notes in a journal what it finds. From
that, when all are seen, it decides which faces stay; so a stopped run goes on, a run with other
thresholds does not look again, and photographs that are added later are all that is looked at.
Photographs are only ever read. docs/extract.md has the measures behind the defaults.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import _core, faces, images
from ffgan.dataset import Dataset, printable
from ffgan.errors import DatasetError, Error, UsageError
from ffgan.extraction import perceptual_hash as duplicates
from ffgan.extraction import quality
from ffgan.extraction.contact_sheet import contact_sheet
from ffgan.extraction.journal import Face, Journal, Photo, write
from ffgan.extraction.journal import read as read_journal
from ffgan.extraction.manifest import manifest
from ffgan.extraction.quality import Thresholds
from ffgan.faces import alignment as framings
from ffgan.faces import clustering
from ffgan.faces.pose import pose
from ffgan.interruption import Interrupted, Interruption
from ffgan.progress import Progress, duration
from ffgan.typing import RGB

Duplicates: TypeAlias = Literal["hash", "embedding", "keep"]

MANIFEST: Final = "manifest.csv"
SHEET: Final = "contact-sheet.html"
SKIPPED: Final = "skipped.log"
EMBEDDINGS: Final = "embeddings.npy"

DUPLICATE: Final = "near-duplicate"
CROWDED: Final = "enough of this person"
REASONS: Final = (*quality.REASONS, DUPLICATE, CROWDED)

LARGE: Final = 30_000_000
"""A photograph of more pixels is looked at while no other such one is."""

LINE_EVERY: Final = 30.0  # seconds, where there is no terminal for a bar


@dataclass(frozen=True)
class Settings:
    """How `extract` works; the command line has an option for each.

    ``framing``, ``size``, ``padding``: as in `ffgan.faces.align`, but dlib's default size of 200
    and padding of 0.2. ``landmarks``, ``recognition``, ``detector_file``: dlib's files instead of
    those of the extra `faces`. ``duplicates``: what tells them, or "keep" for all of them.
    ``per_identity``: most faces of one person, None: any number. ``embeddings``: whether they are
    stored. ``sheet``: faces of each kind on the contact sheet, 0: no sheet. ``threads``: None: one
    per core. Raises `UsageError`.
    """

    detector: faces.Detector = "hog"
    upsample: int = 0
    confidence: float = 0.0
    framing: framings.Framing = "dlib"
    size: int | None = None
    padding: float | None = None
    format: Literal["jpg", "png"] = "jpg"
    quality: int = images.DEFAULT_QUALITY
    thresholds: Thresholds = field(default_factory=Thresholds)
    duplicates: Duplicates = "hash"
    per_identity: int | None = None
    embeddings: bool = False
    landmarks: faces.File | None = None
    recognition: faces.File | None = None
    detector_file: faces.File | None = None
    sheet: int = 48
    threads: int | None = None

    def __post_init__(self) -> None:
        self.chips  # noqa: B018  # raises
        if self.detector not in faces.DETECTORS:
            raise UsageError(f"detector {self.detector!r}: give 'hog' or 'cnn'")
        if self.format not in ("jpg", "png"):
            raise UsageError(f"format {self.format!r}: give 'jpg' or 'png'")
        if self.duplicates not in ("hash", "embedding", "keep"):
            raise UsageError(f"duplicates {self.duplicates!r}: give 'hash', 'embedding' or 'keep'")
        for name, value, low, high in (
            ("upsample", self.upsample, 0, 4),
            ("size", self.chips[1], 16, 4096),
            ("padding", self.chips[2], 0, 10),
            ("quality", self.quality, 1, 100),
            ("per_identity", self.per_identity, 1, None),
            ("sheet", self.sheet, 0, 1000),
            ("threads", self.threads, 1, 1024),
        ):
            if value is not None and not (low <= value and (high is None or value <= high)):
                at_most = f" and at most {high}" if high is not None else ""
                raise UsageError(f"{name} {value} must be at least {low}{at_most}")

    @cached_property
    def chips(self) -> tuple[framings.Framing, int, float]:
        """The framing, size and padding of the chips, with what was not given filled in."""
        return framings.check(self.framing, self.size, self.padding)

    @property
    def embeds(self) -> bool:
        """Whether embeddings are needed."""
        return self.embeddings or self.per_identity is not None or self.duplicates == "embedding"

    def chosen(self) -> dict[str, Any]:
        """What else the result depends on, as JSON's types."""
        return {
            **asdict(self.thresholds),
            "duplicates": self.duplicates,
            "per_identity": self.per_identity,
            "embeddings": self.embeddings,
            "recognition": _shown(self.recognition),
            "sheet": self.sheet,
        }

    def looked_for(self) -> dict[str, Any]:
        """What an earlier look at a photograph must have been with to count, as JSON's types."""
        points = 68 if self.chips[0] == "training" else 5
        return {
            "detector": self.detector,
            "upsample": self.upsample,
            "confidence": self.confidence,
            "detector_file": _shown(self.detector_file),
            "landmarks": _shown(self.landmarks) or points,
            "framing": list(self.chips),
            "format": self.format,
            "quality": self.quality if self.format == "jpg" else None,
        }


@dataclass(frozen=True)
class Extracted:
    """What came of it. ``reasons``: of the faces left out, how many for each, in `REASONS`' order.

    ``found`` and ``kept`` faces of ``photos``, ``broken`` of which could not be read; ``looked_at``
    of them in this run. ``people``: clusters, None without embeddings. ``summary``: what was found
    below the folder.
    """

    photos: int
    broken: int
    looked_at: int
    found: int
    kept: int
    reasons: dict[str, int]
    people: int | None
    summary: str


def extract(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dry_run: bool = False,
    **settings: Any,
) -> Extracted:
    """Cut the faces of all photographs below ``photos`` out, into the folder ``out``.

    The keyword arguments are fields of `Settings`, and of `ffgan.quality.Thresholds`. ``out`` gets
    the faces, named after their photographs, a manifest, a contact sheet and the journal; an
    earlier run with the same photographs is gone on with. With ``dry_run`` all is looked at and
    nothing written.

    Raises `DatasetError` for a folder without photographs, `UsageError` for other bad input,
    `ExtraError` and `ModelError` without dlib's files, `Error` when something cannot be written,
    `Interrupted` after SIGINT or SIGTERM.
    """
    names = {each.name for each in fields(Thresholds)}
    limits = {name: settings.pop(name) for name in names & settings.keys()}
    if limits:
        settings["thresholds"] = Thresholds(**limits)
    try:
        chosen = Settings(**settings)
    except TypeError as error:
        raise UsageError(str(error)) from error
    target = Path(os.path.abspath(out))
    source = Path(os.path.abspath(photos))
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise UsageError(f"{out} lies in {photos}: its faces would be taken for photographs")
    _require_files(chosen)
    dataset = Dataset(source)
    header = {"photos": printable(os.fsencode(source)), "looked_for": chosen.looked_for()}
    with contextlib.ExitStack() as stack:
        interruption = stack.enter_context(Interruption("finishing the photographs at hand"))
        progress = stack.enter_context(Progress())
        journal = None if dry_run else stack.enter_context(Journal(target, header))
        run = _Extraction(dataset, target, chosen, journal, interruption, progress)
        if journal is None and (target / "extract.jsonl").exists():
            earlier, seen = read_journal(target / "extract.jsonl")
            if {name: earlier.get(name) for name in header} == header:
                run.seen = seen
        run.forget_the_changed()
        if (known := run.known()) is not None:
            return known
        if journal is not None:
            journal.rewrite()
        run.look()
        run.select()
        run.finish()
        return run.result()


def table(result: Extracted, out: str | os.PathLike[str], *, dry_run: bool = False) -> str:
    """What `extract` did, as lines of text."""
    lines = [result.summary]
    if result.broken:
        where = "" if dry_run else f", see {Path(out) / SKIPPED}"
        lines.append(f"{result.broken:,} cannot be read{where}")
    if earlier := result.photos - result.looked_at:
        lines.append(f"{earlier:,} were looked at by an earlier run")
    rows = [("faces found", result.found), *result.reasons.items(), ("faces kept", result.kept)]
    if result.people is not None:
        rows.append(("people", result.people))
    width = max(len(name) for name, _ in rows)
    lines += [f"  {name:<{width}}  {count:>9,}" for name, count in rows]
    lines.append("nothing written" if dry_run else f"faces: {out}")
    return "\n".join(lines)


class _Extraction:
    """One run of `extract`. ``seen``: the photographs that were looked at, by name."""

    def __init__(
        self,
        dataset: Dataset,
        out: Path,
        settings: Settings,
        journal: Journal | None,
        interruption: Interruption,
        progress: Progress,
    ) -> None:
        self.dataset = dataset
        self.out = out
        self.settings = settings
        self.journal = journal
        self.interruption = interruption
        self.progress = progress
        self.seen: dict[str, Photo] = {} if journal is None else journal.photos
        self.looked_at = 0
        self.changed = False
        self._large = threading.Lock()
        self.workers = settings.threads or int(_core.engine()["threads"])
        self.index = {os.fsdecode(name): i for i, name in enumerate(dataset.names)}

    # --- Looking ---

    def forget_the_changed(self) -> None:
        """Drop what is known of photographs that are gone or changed, and remove their chips."""
        journal = self.journal
        if journal is not None and journal.earlier is not None:
            before, now = journal.earlier["looked_for"], journal.header["looked_for"]
            if before != now:
                self._forget(list(self.seen), before["format"])
        gone = [name for name, photo in self.seen.items() if self._stamp(name) != _stamp_of(photo)]
        self._forget(gone, self.settings.format)
        self.changed = bool(gone)

    def known(self) -> Extracted | None:
        """What an earlier run came to, where nothing is left to be done."""
        if self.journal is None or self.journal.earlier is None or self.changed:
            return None
        done = self.journal.earlier.get("done")
        if done is None or self.journal.earlier["looked_for"] != self.settings.looked_for():
            return None
        if done["chosen"] != self.settings.chosen() or self.seen.keys() != self.index.keys():
            return None
        result = {"looked_at": 0, "summary": self.dataset.found} | done["result"]
        return Extracted(**result)

    def _forget(self, names: list[str], format: str) -> None:
        for name in names:
            photo = self.seen.pop(name)
            if self.journal is not None:
                for index in range(len(photo.faces)):
                    self._remove(photo.chip(index, format))

    def _stamp(self, name: str) -> tuple[int, int] | None:
        if name not in self.index:
            return None
        try:
            status = os.stat(self.dataset.directory / name)
        except OSError:
            return 0, 0  # reading it says why
        return status.st_size, status.st_mtime_ns

    def look(self) -> None:
        """Look at all photographs that were not looked at before."""
        missing = [name for name in self.index if name not in self.seen]
        if len(missing) < len(self.index) and missing:
            done = len(self.index) - len(missing)
            self.progress.say(f"going on: {done:,} of {len(self.index):,} photographs were seen")
        for photo in self._each("looking for faces", missing, self._look):
            self.looked_at += 1
            if self.journal is None:
                self.seen[photo.name] = photo
            else:
                self.journal.add(photo)

    def _look(self, name: str) -> Photo:
        size, mtime = self._stamp(name) or (0, 0)
        photo = Photo(name, size, mtime)
        try:
            with self._opened(name) as (image, photo.scale):
                self._look_at(photo, image)
        except DatasetError as error:
            photo.error = str(error)
        return photo

    def _look_at(self, photo: Photo, image: RGB) -> None:
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
        squares = framings.squares(points, kind, size=chip_size, padding=padding)
        for box, face_points, square, aligned in zip(
            boxes, points, squares, self._aligned(image, points), strict=True
        ):
            photo.faces.append(
                Face(
                    (box.left, box.top, box.right, box.bottom),
                    round(box.confidence, 4),
                    face_points.astype(np.int32),
                    (float(square[0]), float(square[1]), float(square[2]), float(square[3])),
                    round(framings.outside(square, photo.rows, photo.columns), 4),
                    pose(face_points),
                    quality.appearance(aligned),
                    duplicates.perceptual_hash(aligned),
                )
            )
        promising = [i for i, face in enumerate(photo.faces) if not self._fault(photo, face)]
        self._cut(photo, image, promising if self.journal else [])
        if settings.embeds:
            self._embed(photo, image, promising)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[tuple[RGB, int]]:
        """A photograph, upright, and by how much it was made smaller; raises DatasetError."""
        file = images.container(self.dataset.read(self.index[name]))
        width, height = file.size
        # One large one at a time, so that memory does not grow with the cores.
        turn = self._large if width * height > LARGE else contextlib.nullcontext()
        with turn:
            image = images.decode(file, reduce=True)
            yield image, round(max(width, height) / max(image.shape))

    @contextlib.contextmanager
    def _again(self, name: str) -> Iterator[RGB]:
        """A photograph that was looked at before."""
        try:
            with self._opened(name) as (image, _):
                yield image
        except DatasetError as error:
            raise DatasetError(f"{printable(os.fsencode(name))} has changed: {error}") from error

    def _aligned(self, image: RGB, points: NDArray[np.int64]) -> RGB:
        """The faces as dlib's recognition network takes them, in which appearance is measured."""
        size, padding = faces.CHIP_SIZE, faces.PADDING
        squares = framings.squares(points, "dlib", size=size, padding=padding)
        return faces.cut(image, squares, size)

    def _cut(self, photo: Photo, image: RGB, indices: list[int]) -> None:
        """Write the chips of some of a photograph's faces."""
        if not indices:
            return
        size = self.settings.chips[1]
        squares = np.array([photo.faces[i].square for i in indices])
        for index, chip in zip(indices, faces.cut(image, squares, size), strict=True):
            path = self.out / photo.chip(index, self.settings.format)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Error(f"cannot make the folder {path.parent}: {error.strerror}") from error
            images.save(path, chip, quality=self.settings.quality)

    def _embed(self, photo: Photo, image: RGB, indices: list[int]) -> None:
        if indices:
            points = np.array([photo.faces[i].points for i in indices], np.int64)
            embeddings = faces.embed(self._aligned(image, points), file=self.settings.recognition)
            for index, embedding in zip(indices, embeddings, strict=True):
                photo.faces[index].embedding = embedding

    def _fault(self, photo: Photo, face: Face) -> str:
        side = face.square[2] * photo.scale
        limits, size = self.settings.thresholds, self.settings.chips[1]
        return quality.fault(side, face.outside, face.pose, face.seen, limits, size)

    # --- Selecting ---

    def select(self) -> None:
        """Decide of each face whether it stays."""
        ordered = [self.seen[name] for name in self.index]
        left: list[tuple[Photo, int]] = []
        for photo in ordered:
            for index, face in enumerate(photo.faces):
                face.reason, face.same_as, face.person = self._fault(photo, face), "", None
                if not face.reason:
                    left.append((photo, index))
        by_embedding = self.settings.duplicates == "embedding"
        if self.settings.duplicates == "hash":
            left = self._without_duplicates(
                left, duplicates.same_hash([photo.faces[index].hash for photo, index in left])
            )
        if self.settings.embeds:
            self._embed_the_rest(left)
            if by_embedding:
                vectors = self._embeddings(left)
                left = self._without_duplicates(
                    left, clustering.near(vectors, duplicates.SAME_EMBEDDING)
                )
            self._cluster(left)

    def _without_duplicates(
        self, left: list[tuple[Photo, int]], pairs: NDArray[np.int64]
    ) -> list[tuple[Photo, int]]:
        for group in clustering.groups(len(left), pairs):
            best, *others = sorted(group, key=lambda i: self._rank(*left[i]))
            photo, index = left[best]
            for other in others:
                face = left[other][0].faces[left[other][1]]
                face.reason, face.same_as = DUPLICATE, photo.chip(index, self.settings.format)
        return [(photo, index) for photo, index in left if not photo.faces[index].reason]

    def _embed_the_rest(self, left: list[tuple[Photo, int]]) -> None:
        missing: dict[str, list[int]] = {}
        for photo, index in left:
            if photo.faces[index].embedding is None:
                missing.setdefault(photo.name, []).append(index)

        def embed(name: str) -> None:
            with self._again(name) as image:
                self._embed(self.seen[name], image, missing[name])

        for _ in self._each("telling people apart", list(missing), embed):
            pass

    def _embeddings(self, left: list[tuple[Photo, int]]) -> NDArray[np.float32]:
        vectors = [photo.faces[index].embedding for photo, index in left]
        return np.array(vectors, np.float32).reshape(-1, 128)

    def _cluster(self, left: list[tuple[Photo, int]]) -> None:
        of_person: Counter[int] = Counter()
        people = clustering.cluster(self._embeddings(left)).tolist()
        for (photo, index), person in sorted(
            zip(left, people, strict=True), key=lambda each: self._rank(*each[0])
        ):
            face = photo.faces[index]
            face.person = person
            of_person[person] += 1
            most = self.settings.per_identity
            if most is not None and of_person[person] > most:
                face.reason = CROWDED

    def _rank(self, photo: Photo, index: int) -> tuple[float, str, int]:
        """Sorts the best first: that with the most detail in its chip."""
        face = photo.faces[index]
        pixels = min(face.square[2] * photo.scale, self.settings.chips[1])
        return -pixels * face.seen.sharpness, photo.name, index

    # --- Writing ---

    def finish(self) -> None:
        """Bring the output folder to what was decided."""
        if self.journal is None:
            return
        format = self.settings.format
        missing: dict[str, list[int]] = {}
        for name in self.index:
            photo = self.seen[name]
            for index, face in enumerate(photo.faces):
                chip = photo.chip(index, format)
                if face.reason:
                    self._remove(chip)
                elif not (self.out / chip).exists():
                    missing.setdefault(name, []).append(index)

        def cut(name: str) -> None:
            with self._again(name) as image:
                self._cut(self.seen[name], image, missing[name])

        for _ in self._each("cutting out faces", list(missing), cut):
            pass
        ordered = [self.seen[name] for name in self.index]
        stored = [
            face.embedding
            for photo in ordered
            for face in photo.faces
            if face.embedding is not None
        ]
        path = self.out / EMBEDDINGS
        if self.settings.embeddings:
            content = io.BytesIO()
            np.save(content, np.array(stored, np.float32).reshape(-1, 128))
            write(path, content.getvalue())
        else:
            path.unlink(missing_ok=True)
            for photo in ordered:
                for face in photo.faces:
                    face.embedding = None
        write(self.out / MANIFEST, manifest(ordered, format).encode())
        lines = [f"{printable(name)}\t{reason}\n" for name, reason in self.dataset.unreadable]
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
        self.journal.header["done"] = {"chosen": self.settings.chosen(), "result": result}
        self.journal.rewrite()

    def _remove(self, chip: str) -> None:
        try:
            (self.out / chip).unlink(missing_ok=True)
        except OSError as error:
            raise Error(f"cannot remove {self.out / chip}: {error.strerror}") from error

    def _sheet(self, ordered: list[Photo]) -> str:
        groups: list[tuple[str, int, list[tuple[str, RGB]]]] = []
        for reason in ("", *REASONS):
            members = [
                (photo, index)
                for photo in ordered
                for index, face in enumerate(photo.faces)
                if face.reason == reason
            ]
            if members:
                spread = np.linspace(0, len(members) - 1, min(len(members), self.settings.sheet))
                shown = [members[int(i)] for i in spread]
                pictures = list(self._each("contact sheet", shown, self._thumbnail))
                groups.append((reason or "kept", len(members), pictures))
        return contact_sheet(groups, len(self.index))

    def _thumbnail(self, place: tuple[Photo, int]) -> tuple[str, RGB]:
        photo, index = place
        face = photo.faces[index]
        if face.reason:
            with self._again(photo.name) as image:
                chip = faces.cut(image, np.array([face.square]), self.settings.chips[1])[0]
        else:
            chip = images.decode((self.out / photo.chip(index, self.settings.format)).read_bytes())
        caption = (
            f"{printable(os.fsencode(photo.name))}: {round(face.square[2] * photo.scale)} pixels, "
            f"sharpness {face.seen.sharpness:.2f}, yaw {face.pose.yaw:.0f}, "
            f"pitch {face.pose.pitch:.0f}, light {face.seen.light:.0f}"
        )
        return caption, chip

    def result(self) -> Extracted:
        """What came of it."""
        every = [face for name in self.index for face in self.seen[name].faces]
        counts = Counter(face.reason for face in every)
        people = {face.person for face in every if face.person is not None}
        return Extracted(
            photos=len(self.index),
            broken=sum(bool(self.seen[name].error) for name in self.index),
            looked_at=self.looked_at,
            found=len(every),
            kept=counts[""],
            reasons={reason: counts[reason] for reason in REASONS if counts[reason]},
            people=len(people) if self.settings.embeds else None,
            summary=self.dataset.found,
        )

    # --- All cores ---

    def _each(self, what: str, items: list[Any], work: Callable[[Any], Any]) -> Iterator[Any]:
        """The results of work in the order of the items; raises Interrupted between two of them."""
        began = shown = time.monotonic()
        pending: deque[Future[Any]] = deque()
        waiting = iter(items)
        done = 0
        with ThreadPoolExecutor(self.workers, "ffgan-extract") as pool:
            try:
                while True:
                    while len(pending) < 2 * self.workers and self.interruption.received is None:
                        try:
                            pending.append(pool.submit(work, next(waiting)))
                        except StopIteration:
                            break
                    if not pending:
                        break
                    yield pending.popleft().result()
                    done += 1
                    now = time.monotonic()
                    rate = done / max(now - began, 1e-9)
                    pace = (
                        f"{done:,} of {len(items):,}, {rate:.1f} a second, "
                        f"{duration((len(items) - done) / rate)} left"
                    )
                    line = now - shown >= LINE_EVERY
                    shown = now if line else shown
                    self.progress.update(done / len(items), what, pace, line=line)
            finally:
                for future in pending:
                    future.cancel()
        if done < len(items) and self.interruption.received is not None:
            rest = "the same command goes on from there" if self.journal else "nothing written"
            raise Interrupted(
                f"stopped {what}, {done:,} of {len(items):,} done: {rest}",
                self.interruption.received,
            )


def _require_files(settings: Settings) -> None:
    """Say what is missing before anything is looked at."""
    points = faces.LANDMARKS_68_FILE if settings.chips[0] == "training" else faces.LANDMARKS_FILE
    faces.model_file(points, settings.landmarks)
    if settings.detector == "cnn":
        faces.model_file(faces.CNN_FILE, settings.detector_file)
    if settings.embeds:
        faces.model_file(faces.EMBEDDING_FILE, settings.recognition)


def _shown(file: faces.File | None) -> str | None:
    return None if file is None else printable(os.fsencode(os.path.abspath(file)))


def _stamp_of(photo: Photo) -> tuple[int, int]:
    return photo.size, photo.mtime
