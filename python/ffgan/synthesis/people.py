# SPDX-License-Identifier: GPL-3.0-or-later
"""Invented people of a data set: drawn before its shards, since each keeps away from all before.

They are kept in files of `CHUNK` people, so that a stopped run goes on, and every shard knows all
of them. A person's pictures then depend on these, and not on other shards.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import control
from ffgan.model import Face, Model
from ffgan.shapes import LATENT_SIZE
from ffgan.synthesis.drawing import Tally, completed, measured
from ffgan.synthesis.labels import Sample
from ffgan.synthesis.settings import Settings
from ffgan.synthesis.shards import Shard
from ffgan.synthesis.store import PRIVATE, Store
from ffgan.typing import Float32, ProgressCallback, UInt8

FOLDER: Final = f"{PRIVATE}/people"
CHUNK: Final = 100

TYPE: Final = np.dtype(
    [
        ("seed", "<u8"),
        ("tries", "<i4"),
        ("score", "<f4"),
        ("cell", "<i4"),
        ("unlike", "<i4"),
        ("surplus", "<i4"),
        ("near", "<i4"),
        ("latent", "<f4", LATENT_SIZE),
        ("embedding", "<f4", 128),
    ]
)
"""A person, and how many faces before it were not taken: ``unlike`` and ``surplus`` as in `Tally`,
``near``: too near to earlier people, or not brought to what is asked of all."""

People: TypeAlias = NDArray[np.void]


def draw(model: Model, settings: Settings, store: Store, tell: ProgressCallback) -> People:
    """Return all people of a set, in the order of their identities: those that are kept, and new.

    Raises `Error` where there is no room for so many, so far apart.
    """
    count = settings.identities
    kept = _kept(store, settings)
    drawn = _identities(model, settings, kept)
    search = _Search(settings, kept)
    found = list(kept)
    while len(found) < count:
        tell("people", len(found), count)
        found.append(search.person(drawn))
        if len(found) % CHUNK == 0 or len(found) == count:
            first = (len(found) - 1) // CHUNK * CHUNK
            store.write(_name(first), _encoded(np.stack(found[first:])))
    tell("people", count, count)
    return _placed(np.stack(found), settings)


def count(people: People) -> dict[str, int]:
    """How many faces were drawn and not taken, by name; they are among ``draws``."""
    counts = {name: int(people[name].sum()) for name in ("unlike", "surplus", "near")}
    return {**counts, "draws": sum(counts.values())}


def samples(
    model: Model, settings: Settings, shard: Shard, people: People, tally: Tally
) -> Iterator[Sample]:
    """Yield the pictures of the people of a shard, in their order."""
    each = settings.images_each
    first = shard.first // each
    own = range(first, first + shard.count // each)
    drawn = _own_faces if not settings.images else _pictures
    numbered = ((identity, image) for identity in own for image in range(each))
    faces = measured(drawn(model, settings, people, own), settings.decisive)
    places = zip(numbered, faces, strict=True)

    def found() -> Iterator[Sample]:
        for slot, ((identity, image), (face, values)) in enumerate(places):
            tally.draws += 1
            yield Sample(slot, face, identity, image, values)

    return completed(found(), settings)


def _own_faces(model: Model, settings: Settings, people: People, which: range) -> Iterator[Face]:
    """The faces of people of which each has only one picture."""
    block = 8
    for start in range(which.start, which.stop, block):
        some = people[start : min(start + block, which.stop)]
        for one, image in zip(some, model.render(some["latent"]), strict=True):
            yield _face(one, image)


def _pictures(model: Model, settings: Settings, people: People, which: range) -> Iterator[Face]:
    drawn = _identities(model, settings, people)
    for identity in which:
        one = people[identity]
        person = control.Person(
            identity,
            int(one["seed"]),
            one["latent"],
            int(one["tries"]),
            float(one["score"]),
            one["embedding"],
            0,
        )
        for picture in drawn.pictures(person, settings.images):
            face = picture.face
            yield Face(face.image, person.seed, face.latent, picture.attempts, face.score)


def _face(one: Any, image: UInt8) -> Face:
    return Face(
        image, int(one["seed"]), one["latent"].copy(), int(one["tries"]), float(one["score"])
    )


def _identities(model: Model, settings: Settings, people: People) -> control.Identities:
    drawn = control.Identities(
        model,
        settings.seed,
        settings.wanted,
        tries=settings.tries,
        threshold=settings.threshold,
        truncation=settings.truncation,
        min_distance=settings.min_distance,
    )
    for one in people:
        latent: Float32 = one["latent"]
        drawn.remember(int(one["seed"]), latent, one["embedding"])
    return drawn


class _Search:
    """What is asked of the face of a person, besides its distance to others."""

    def __init__(self, settings: Settings, kept: People) -> None:
        self._settings = settings
        self._cell = -1
        self._open = _open_places(settings)
        for one in kept:
            if settings.cells is not None:
                self._open[int(one["cell"])].popleft()

    def person(self, drawn: control.Identities) -> Any:
        """Draw the next one; a row of `TYPE`."""
        self._unlike = self._surplus = 0
        asks = self._settings.where is not None or self._settings.cells is not None
        found = drawn.person(self._accepts if asks else None, most_draws=self._settings.max_draws)
        row = np.zeros((), TYPE)
        row["seed"], row["tries"], row["score"] = found.seed, found.tries, found.score
        row["latent"], row["embedding"] = found.latent, found.embedding
        row["cell"], row["unlike"], row["surplus"] = self._cell, self._unlike, self._surplus
        row["near"] = found.rejected - self._unlike - self._surplus
        if self._settings.cells is not None:
            self._open[self._cell].popleft()
        return row

    def _accepts(self, face: Face) -> bool:
        settings = self._settings
        [(_, values)] = measured([face], settings.decisive)
        known: Mapping[str, Any] = {"score": face.score, "tries": face.tries, **values}
        if settings.where is not None and not settings.where.accepts(known):
            self._unlike += 1
            return False
        if settings.cells is not None:
            cell = settings.cells.cell_of(values)
            if cell is None or not self._open[cell]:
                self._surplus += 1
                return False
            self._cell = cell
        return True


def _open_places(settings: Settings) -> list[deque[int]]:
    """The identities of each cell."""
    cells = settings.cells
    if cells is None:
        return []
    places: list[deque[int]] = [deque() for _ in cells.places]
    for identity in range(settings.identities):
        places[cells.cell_at(identity)].append(identity)
    return places


def _placed(found: People, settings: Settings) -> People:
    """The people in the order of identities: each at the next place of its cell."""
    if settings.cells is None:
        return found
    places = _open_places(settings)
    order = np.array([places[int(one["cell"])].popleft() for one in found])
    result = np.empty_like(found)
    result[order] = found
    return result


def _name(first: int) -> str:
    return f"{FOLDER}/{first // CHUNK:06d}.npy"


def _encoded(people: People) -> bytes:
    content = io.BytesIO()
    np.save(content, people, allow_pickle=False)
    return content.getvalue()


def _kept(store: Store, settings: Settings) -> People:
    """The people of an earlier run, up to the first file that is not whole."""
    found = [np.zeros(0, TYPE)]
    for first in range(0, settings.identities, CHUNK):
        content = store.read(_name(first))
        wanted = min(CHUNK, settings.identities - first)
        try:
            some = np.load(io.BytesIO(content or b""), allow_pickle=False)
        except (ValueError, EOFError):
            break
        if some.dtype != TYPE or len(some) != wanted:
            break
        found.append(some)
    return np.concatenate(found)
