# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a data set: `make`."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ffgan.attributes import ATTRIBUTES, measure
from ffgan.control import Constraints
from ffgan.errors import UsageError
from ffgan.faces import SAME_PERSON
from ffgan.images import DEFAULT_QUALITY
from ffgan.images import Format as Encoding
from ffgan.locations import Location
from ffgan.model import DEFAULT_TRIES, Model, empty_images
from ffgan.shapes import IMAGE_SIZE
from ffgan.synthesis import card, folder, people, records
from ffgan.synthesis.card import cells_reached, rejected
from ffgan.synthesis.cells import Cells
from ffgan.synthesis.engines import ENGINES, Cluster
from ffgan.synthesis.engines import engine as engine_named
from ffgan.synthesis.job import Job
from ffgan.synthesis.places import store as store_at
from ffgan.synthesis.records import Summary
from ffgan.synthesis.settings import MAX_DRAWS, Drawing, Format, Latent, Settings
from ffgan.synthesis.shards import shards
from ffgan.synthesis.store import Store
from ffgan.synthesis.where import Where
from ffgan.synthesis.writers import writer
from ffgan.typing import ProgressCallback
from ffgan.wording import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Made:
    """A data set that is whole.

    ``made``: pictures of this run, ``rejected``: faces by the reason why they were not taken, of
    all ``draws``. ``cells``: pictures by the titles of cells.
    """

    folder: Location
    pictures: int
    made: int
    shards: int
    size: int
    draws: int
    rejected: dict[str, int]
    cells: dict[str, int]


def make(
    out: str | os.PathLike[str],
    count: int | None = None,
    *,
    model: Model | str | os.PathLike[str] | None = None,
    seed: int = 0,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    format: Format = "folder",
    encoding: Encoding = "jpg",
    quality: int = DEFAULT_QUALITY,
    size: int = IMAGE_SIZE,
    attributes: str | Sequence[str] = "all",
    latent: Latent = "none",
    shard_size: int | None = None,
    where: str | None = None,
    balance: Sequence[str] = (),
    like: str | os.PathLike[str] | None = None,
    by: Sequence[str] = (),
    drawing: Drawing = "free",
    max_draws: int = MAX_DRAWS,
    identities: int | None = None,
    images: int | None = None,
    min_distance: float | None = None,
    split: Sequence[tuple[str, float]] = (("train", 1.0),),
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    cores: int | None = None,
    command: str | None = None,
    progress: ProgressCallback | None = None,
    **wanted: object,
) -> Made:
    """Make a data set of ``count`` labelled faces in the folder ``out``, and return what it is.

    ``out`` may be a URL that fsspec knows, such as ``s3://bucket/faces``.

    A second call with the same settings makes only what is missing; one with others is refused. The
    bytes follow from the model and the settings alone.

    ``format``: "folder" (Hugging Face's ImageFolder), "parquet", "webdataset", "tfrecord" or "npy".
    ``encoding`` and ``quality`` of the pictures, ``size`` of a side in pixels. ``attributes``:
    "all", "none" or names of those in the labels; ``latent``: "none" or the type of latents in
    them. ``shard_size``: pictures in a file or folder.

    ``wanted``: attributes that all faces are steered to, as in `ffgan.generate`. ``where``: a
    condition, such as ``"age >= 20 and abs(yaw) < 15"``. ``balance``: attributes whose combinations
    are to be alike in number, such as ``["age=20/40/60", "gender"]`` with bounds between bins.
    ``like``: a CSV file whose joint distribution of the attributes ``by``, or of all its columns,
    is taken. ``drawing``: "free" draws faces until there are enough of each, "steered" moves them
    there, "auto" does so for those that are rare. ``max_draws`` in a row without one that is taken
    end the run. ``identities`` and ``images``: so many people in so many pictures each, instead of
    ``count``. ``min_distance``: between the embeddings of two people, or of any two faces.
    ``split``: names of parts and their shares; no person is in two of them.

    ``engine``: who makes the shards: "local", this process, or "ray", a Ray cluster at ``address``
    (else at RAY_ADDRESS, else one of this machine), ``workers`` shards at a time, each on ``cores``
    cores; ``out`` is then a folder that all nodes share, or a URL. ``command``: what the data card
    says about how it was made.
    Raises `UsageError`, `ShortfallError` where a set cannot be filled, `Error` where it cannot be
    written, and `ExtraError`, `ModelError`.
    """
    if not isinstance(model, Model):
        model = Model.load(model)
    if balance and like is not None:
        raise UsageError("balance and like both say which faces are wanted: give one of the two")
    if by and like is None:
        raise UsageError("by names columns of like: give that, too")
    cells = Cells.balanced(balance) if balance else None
    if like is not None:
        cells = Cells.like(Path(like), by)
    settings = Settings(
        count=_count(count, identities, images),
        seed=seed,
        tries=tries,
        threshold=model.threshold if threshold is None else float(threshold),
        truncation=float(truncation),
        format=format,
        encoding=encoding,
        quality=quality,
        size=size,
        attributes=_names(attributes),
        latent=latent,
        shard_size=shard_size or 0,
        wanted=Constraints.of(wanted),
        where=None if where is None else Where(where),
        cells=cells,
        drawing=drawing,
        max_draws=max_draws,
        images=0 if identities is None else images or 1,
        min_distance=_distance(min_distance, identities),
        split=tuple((name, float(share)) for name, share in split),
    )
    if engine not in ENGINES:
        raise UsageError(f"engine is {engine!r}: give one of {', '.join(ENGINES)}")
    cluster = Cluster(address, workers, cores)
    return _made(store_at(out), model, settings, engine, cluster, command, progress or _nothing)


def _made(
    store: Store,
    model: Model,
    settings: Settings,
    engine: str,
    cluster: Cluster,
    command: str | None,
    progress: ProgressCallback,
) -> Made:
    chosen = engine_named(engine)
    chosen.check(cluster)
    writer(settings.format).check(settings)
    store.check(settings.format)
    if settings.measured:
        measure(empty_images(1), settings.measured)  # told now, if something is not installed
    if store.is_foreign():
        raise UsageError(f"{store} is not empty, and holds no data set: give another folder")
    with store.alone():
        folder.claim(store, model, settings)
        store.sweep()
        every = list(shards(settings))
        summary = Summary(settings)
        missing = []
        for shard, record in records.found(store, every):
            if record is None:
                missing.append(shard)
            else:
                summary.add(record)
        everybody = None
        if settings.has_people:
            everybody = people.draw(model, settings, store, progress)
            summary.draws.update(people.count(everybody))
        steered = folder.steered(store, model, settings)
        if settings.cells is not None and settings.drawing == "auto":
            cells = counted(len(settings.cells.places), "cell")
            logger.info(f"of {cells} {len(steered):,} are rare among free faces, and steered")
        there = summary.pictures
        if missing:
            folder.begin(store)
            if there:
                logger.info(f"{there:,} of {settings.count:,} pictures are there")
            job = Job(model, settings, store, everybody, steered)

            def tell(pictures: int) -> None:
                progress("pictures", there + pictures, settings.count)

            for record in chosen.run(job, missing, tell, cluster):
                summary.add(record)
        if missing or not folder.is_whole(store):
            folder.write_sums(store, every)
            text = card.card(model, settings, summary, steered, command)
            store.write(folder.CARD, text.encode())
    return Made(
        store.root,
        settings.count,
        settings.count - there,
        len(every),
        summary.size,
        summary.draws["draws"],
        rejected(summary.draws),
        {title: count for title, _, count in cells_reached(settings, summary)},
    )


def _count(count: int | None, identities: int | None, images: int | None) -> int:
    if identities is None:
        if count is None:
            raise UsageError("say how many pictures: give count, or identities and images")
        if images is not None:
            raise UsageError("images are those of each person: give identities, too")
        return count
    for name, value in (("identities", identities), ("images", images or 1)):
        if value < 1:
            raise UsageError(f"{name} is {value}: give a number from 1 up")
    whole = identities * (images or 1)
    if count not in (None, whole):
        raise UsageError(f"{identities} people in {images or 1} pictures each are not {count}")
    return whole


def _distance(given: float | None, identities: int | None) -> float:
    if given is not None:
        return float(given)
    return 0.0 if identities is None else SAME_PERSON


def _names(attributes: str | Sequence[str]) -> tuple[str, ...]:
    if attributes == "all":
        return tuple(ATTRIBUTES)
    if attributes == "none":
        return ()
    return (attributes,) if isinstance(attributes, str) else tuple(attributes)


def _nothing(what: str, done: int, total: int) -> None:
    """The progress of a caller who wants to hear none."""
