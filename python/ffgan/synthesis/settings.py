# SPDX-License-Identifier: GPL-3.0-or-later
"""What a data set is made of: everything that its bytes follow from, with the model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from ffgan.attributes.definitions import named
from ffgan.control import Constraints
from ffgan.errors import UsageError
from ffgan.images import DEFAULT_QUALITY
from ffgan.images import Format as Encoding
from ffgan.latent import MAX_SEED, check_seed
from ffgan.model import DEFAULT_TRIES
from ffgan.shapes import IMAGE_SIZE
from ffgan.synthesis.cells import Cells
from ffgan.synthesis.where import Where

Format: TypeAlias = Literal["folder", "parquet", "webdataset", "tfrecord", "npy"]
Latent: TypeAlias = Literal["none", "float16", "float32"]
Drawing: TypeAlias = Literal["free", "steered", "auto"]

FORMATS: Final = get_args(Format)
LATENTS: Final = get_args(Latent)
DRAWINGS: Final = get_args(Drawing)

SHARD_SIZE: Final[Mapping[str, int]] = {
    "folder": 5000,
    "parquet": 5000,
    "webdataset": 5000,
    "tfrecord": 5000,
    "npy": 1000,  # they are not compressed while they wait for one before them
}
"""Pictures of a shard."""

MOST: Final = 10**12
MOST_IN_SHARD: Final = 100_000
MAX_DRAWS: Final = 5000
MOST_SIZE: Final = 4096

_SPLIT: Final = re.compile(r"[A-Za-z0-9_]{1,40}")


@dataclass(frozen=True)
class Settings:
    """How a data set is made. Two of equal settings and models hold the same bytes.

    ``count`` pictures from ``seed`` on, found with ``tries``, ``threshold`` and ``truncation`` as
    `Model.face` does. ``format``, and of its pictures ``encoding``, ``quality`` and ``size`` in
    pixels. ``attributes``: names of those that are measured for the labels; ``latent``: the type in
    which latents are. ``shard_size``: pictures of a shard. ``wanted``: what is asked of all faces,
    by steering. ``where``: what they have to be like, by rejection. ``cells``: which shares are to
    have which attributes. ``drawing``: how faces of a cell are found: by rejection ("free"), by
    steering, or by steering where that is far faster ("auto"). ``max_draws``: draws in a row of
    which none is taken, after which a set cannot be filled. ``images``: pictures of each person, if
    these are invented people; ``min_distance``: between the embeddings of two of them. ``split``:
    names of parts and their shares.

    Raises `UsageError` for what does not go together.
    """

    count: int
    seed: int = 0
    tries: int = DEFAULT_TRIES
    threshold: float = 0.0
    truncation: float = 1.0
    format: Format = "folder"
    encoding: Encoding = "jpg"
    quality: int = DEFAULT_QUALITY
    size: int = IMAGE_SIZE
    attributes: tuple[str, ...] = ()
    latent: Latent = "none"
    shard_size: int = 0
    wanted: Constraints = field(default_factory=Constraints)
    where: Where | None = None
    cells: Cells | None = None
    drawing: Drawing = "free"
    max_draws: int = MAX_DRAWS
    images: int = 0
    min_distance: float = 0.0
    split: tuple[tuple[str, float], ...] = (("train", 1.0),)

    def __post_init__(self) -> None:
        if not self.shard_size:
            object.__setattr__(self, "shard_size", SHARD_SIZE.get(self.format, 1))
        _whole("count", self.count, 1, MOST)
        _whole("shard_size", self.shard_size, 1, MOST_IN_SHARD)
        _whole("quality", self.quality, 1, 100)
        _whole("size", self.size, 1, MOST_SIZE)
        _whole("max_draws", self.max_draws, 1, 10**9)
        _whole("images", self.images, 0, 10_000)
        check_seed(self.seed)
        _one_of("format", self.format, FORMATS)
        _one_of("encoding", self.encoding, ("jpg", "png", "webp"))
        _one_of("latent", self.latent, LATENTS)
        _one_of("drawing", self.drawing, DRAWINGS)
        if not 0 <= self.min_distance <= 2:
            raise UsageError(f"min_distance is {self.min_distance!r}: give one from 0 to 2")
        named(self.attributes)
        self._check_composition()
        self._check_split()
        if self.last_seed > MAX_SEED:
            raise UsageError(f"seeds end at {MAX_SEED}: begin with a smaller one than {self.seed}")

    def _check_composition(self) -> None:
        if self.drawing != "free" and self.cells is None:
            raise UsageError(f"drawing {self.drawing} is for cells: give balance or like")
        if self.cells is not None:
            for one in self.cells.asked(0):
                if one in self.wanted.text():
                    raise UsageError(f"{one} is asked for and in the cells: give one of the two")
        if self.wanted.changes_text():
            raise UsageError("a change is of one face: give values of attributes")
        if self.images and self.count % self.images:
            raise UsageError(f"{self.count} pictures are not {self.images} of each person")
        if self.has_people and self.drawing != "free":
            raise UsageError(f"drawing {self.drawing} does not go with people: they are drawn free")

    def _check_split(self) -> None:
        names = [name.lower() for name, _ in self.split]  # some file systems know no capitals
        for name, share in self.split:
            if not _SPLIT.fullmatch(name) or names.count(name.lower()) > 1:
                raise UsageError(f"split {name!r}: give different names of letters and digits")
            if not 0 < share <= 1:
                raise UsageError(f"split {name}={share:g}: give a share above 0, to 1")
        total = math.fsum(share for _, share in self.split)
        if abs(total - 1) > 1e-6:
            raise UsageError(f"the shares of split add up to {total:g}: make them 1")

    @property
    def has_people(self) -> bool:
        """Whether faces are drawn one after another, each away from those before."""
        return bool(self.images) or self.min_distance > 0

    @property
    def images_each(self) -> int:
        """Pictures of each person; a face that is no person's is one of its own."""
        return self.images or 1

    @property
    def identities(self) -> int:
        """How many people, or faces, there are."""
        return self.count // self.images_each

    @property
    def rejects(self) -> bool:
        """Whether a seed may be used up without a picture."""
        return self.where is not None or self.cells is not None or bool(self.wanted)

    @property
    def seeds_each(self) -> int:
        """Seeds that each picture has for itself."""
        return self.max_draws if self.rejects else 1

    @property
    def last_seed(self) -> int:
        """A bound of the seeds that may be used."""
        return self.seed + (self.count + self.shard_size) * self.seeds_each - 1

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of the attributes that are measured: the labels, and what the rest needs."""
        asked = (one.attribute.name for one in self.wanted.each)
        return tuple(one.name for one in named({*self.attributes, *asked, *self.decisive}))

    @property
    def decisive(self) -> tuple[str, ...]:
        """The names of those by which it is decided whether a face is taken."""
        names: set[str] = set()
        for one in (self.where, self.cells):
            if one is not None:
                names.update(one.attributes)
        return tuple(one.name for one in named(names))

    def described(self) -> dict[str, Any]:
        """All of it as JSON's types, by the names of options."""
        cells = self.cells
        return {
            "count": self.count,
            "seed": self.seed,
            "tries": self.tries,
            "threshold": self.threshold,
            "truncation": self.truncation,
            "format": self.format,
            "encoding": None if self.format == "npy" else self.encoding,
            "quality": self.quality if self._lossy else None,
            "size": self.size,
            "attributes": list(self.measured),
            "latent": self.latent,
            "shard_size": self.shard_size,
            "set": self.wanted.text(),
            "where": None if self.where is None else self.where.text,
            "cells": None if cells is None else [cells.of, *cells.text],
            "shares": None if cells is None else _shares(cells),
            "drawing": self.drawing,
            "max_draws": self.max_draws if self.rejects else None,
            "images": self.images,
            "min_distance": self.min_distance,
            "split": dict(self.split),
        }

    @property
    def _lossy(self) -> bool:
        return self.format != "npy" and self.encoding != "png"


def read_split(text: str) -> tuple[tuple[str, float], ...]:
    """Read ``train=0.9,test=0.1``. Raises `UsageError`."""
    found = []
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition("="))
        try:
            found.append((name, float(share)))
        except ValueError:
            raise UsageError(f"split {part!r}: give shares, such as train=0.9,test=0.1") from None
    return tuple(found)


def _shares(cells: Cells) -> list[Any]:
    """The cells of a given distribution, which its axes alone do not tell."""
    if cells.of == "balance":
        return []
    return [[list(place), share] for place, share in zip(cells.places, cells.shares, strict=True)]


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} is {value!r}: give a whole number from {low} to {high}")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}: give one of {', '.join(allowed)}")
