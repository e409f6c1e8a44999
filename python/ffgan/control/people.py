# SPDX-License-Identifier: GPL-3.0-or-later
"""Invented people, each in many pictures.

A person is a seed's face. Every other picture of it takes its pose, expression and light from the
face of some other latent, so that these vary as the model's faces do, and keeps the person: by
moves that change dlib's embedding little, and because only pictures are taken whose embedding is
near to those of the person's pictures before, and far from those of the other people.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ffgan.attributes.definitions import named
from ffgan.attributes.recognition import embeddings
from ffgan.control.constraints import Constraints
from ffgan.control.drawing import attribute_map, faces, moved
from ffgan.control.measuring import measured
from ffgan.control.solver import ControlledFace, check
from ffgan.errors import Error, UsageError
from ffgan.faces import SAME_PERSON
from ffgan.latent import MAX_SEED, check_seed, random_seed
from ffgan.model import DEFAULT_TRIES, Face, Model
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import Float32

VARIED: Final = (
    "yaw",
    "pitch",
    "smile",
    "mouth_open",
    "eye_open",
    "brow_height",
    "light",
    "background",
)
"""What differs between the pictures of a person, unless something else is asked for.

The brightness of the face is not among it: with the tone of the skin kept, dark faces turn blue.
"""

HELD: Final = ("glasses",)
"""What the embedding hardly sees and is measured to stay, where the model was fitted for it."""

MOST_PEOPLE: Final = 100_000
MOST_IMAGES: Final = 10_000
MOST_DRAWS: Final = 2000
"""Seeds in a row that are no new person, after which there is hardly room for one."""

_NEARER: Final = 0.05
"""By how much less than two people a picture may be apart from another person. With the whole
distance, at 100 people a fifth of the pictures would do, those that differ least.
"""

_STEPS: Final = 2
"""Moves to a picture's targets. They are drawn at random, so it need not be exactly there."""

_MOST_ATTEMPTS: Final = 24
_FULL_ATTEMPTS: Final = 6
_SHRINK: Final = 0.85
"""After so many attempts for a picture its targets come nearer to the person's own, by this."""

_BLOCK: Final = 8
"""Seeds that are tried together."""

_AHEAD: Final = 16
"""Attempts that are made together."""


@dataclass(frozen=True, eq=False)
class Person:
    """An invented person: number from 0, and the latent (100,) float32 of its own face.

    ``seed`` is where that face comes from, ``tries`` and ``score`` are as in `ffgan.Face`.
    ``embedding`` (128,) float32 is dlib's. ``rejected``: seeds before that were too near to an
    earlier person.
    """

    number: int
    seed: int
    latent: Float32 = field(repr=False)
    tries: int
    score: float
    embedding: Float32 = field(repr=False)
    rejected: int


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of an invented person: number from 0, the first being the person's own face.

    ``attributes``: what was measured, by column. ``distance``: of its embedding to that of the
    first picture, ``farthest``: to the farthest of the pictures before it, ``nearest``: to the
    nearest of the other people's first pictures, infinite if there are none. ``attempts``: faces
    that were made until this one was taken. ``kept``: whether these distances are within their
    bounds; else the best of all attempts was taken.
    """

    person: Person
    number: int
    face: Face
    attributes: dict[str, float]
    embedding: Float32 = field(repr=False)
    distance: float
    farthest: float
    nearest: float
    attempts: int
    kept: bool


class Identities:
    """People of one model, drawn one after another: the same for the same seed and settings."""

    def __init__(
        self,
        model: Model,
        seed: int | None = None,
        wanted: Constraints | None = None,
        *,
        min_distance: float = SAME_PERSON,
        max_distance: float = SAME_PERSON,
        vary: Sequence[str] = VARIED,
        tries: int = DEFAULT_TRIES,
        threshold: float | None = None,
        truncation: float = 1.0,
    ) -> None:
        """``seed`` is that of the first person; those after it have greater ones.

        ``wanted`` is asked of the people, not of each picture. ``min_distance``: how far the
        embeddings of two people's first pictures are apart, at least; another picture and another
        person's first one may be 0.05 less apart. ``max_distance``: how far those of two pictures
        of one person are apart, at most. Raises `UsageError`, and `ModelError` for a model without
        fitted attributes.
        """
        self.model = model
        self.seed = random_seed() if seed is None else check_seed(seed)
        self.wanted = Constraints() if wanted is None else wanted
        self.min_distance = _distance("min_distance", min_distance)
        self.max_distance = _distance("max_distance", max_distance)
        self._fitted = attribute_map(model)
        varied = named(vary)
        if not varied:
            raise UsageError("nothing is varied: give at least one attribute")
        self._vary = tuple(one.column for one in varied)
        check(self.wanted, self._fitted)
        for one in varied:
            if one.kind != "number":
                raise UsageError(f"{one.name} cannot be varied: give attributes that are numbers")
            if one.column in self.wanted.columns:
                raise UsageError(f"{one.name} is varied and asked for: give one of the two")
            if one.column not in self._fitted.columns:
                check(Constraints.of({one.name: one.low}), self._fitted)
        busy = {*self._vary, *self.wanted.columns}
        self._hold = [
            one.name
            for one in named(HELD)
            if one.column in self._fitted.columns and one.column not in busy
        ]
        self._tries, self._threshold, self._truncation = tries, threshold, truncation
        self._embeddings: list[Float32] = []
        self._next = self.seed
        self._ahead: deque[tuple[Face, Float32]] = deque()

    def remember(self, seed: int, latent: Float32, embedding: Float32 | None = None) -> None:
        """Take the next person as drawn before, by an earlier run: a seed and a latent (100,).

        ``embedding`` (128,): that of its face, where it is known.
        """
        if embedding is None:
            embedding = embeddings(self.model.render(latent[None]))[0]
        self._embeddings.append(embedding)
        self._next = seed + 1
        self._ahead.clear()

    def person(
        self, accepts: Callable[[Face], bool] | None = None, *, most_draws: int | None = None
    ) -> Person:
        """Draw the next person. Raises `Error` when no seed gives one that is far enough.

        ``accepts``: what else is asked of its face. ``most_draws``: seeds that are tried, without
        it `MOST_DRAWS`.
        """
        most_draws = MOST_DRAWS if most_draws is None else most_draws
        for rejected in range(most_draws):
            found, embedding = self._candidate()
            if isinstance(found, ControlledFace) and not found.reached:
                continue
            if accepts is not None and not accepts(found):
                continue
            if _nearest(embedding, self._embeddings) < self.min_distance:
                continue
            self._embeddings.append(embedding)
            number = len(self._embeddings) - 1
            return Person(
                number, found.seed, found.latent, found.tries, found.score, embedding, rejected
            )
        raise Error(
            f"{len(self._embeddings)} people were found, and of {most_draws} more seeds none is "
            f"{self.min_distance:g} away from all"
            + (" and as asked" if accepts is not None else "")
            + ": give a smaller min_distance or fewer people"
        )

    def _candidate(self) -> tuple[Face, Float32]:
        """The next seed's face and its embedding; some are made together."""
        if not self._ahead:
            count = min(_BLOCK, MAX_SEED + 1 - self._next)
            if count < 1:
                raise UsageError(f"seeds end at {MAX_SEED}: begin with a smaller one")
            how: dict[str, Any] = {
                "tries": self._tries,
                "threshold": self._threshold,
                "truncation": self._truncation,
            }
            made: Iterator[Face] = (
                faces(self.model, count, self._next, self.wanted, **how)
                if self.wanted
                else self.model.faces(count, self._next, **how)
            )
            some = list(made)
            self._next += count
            codes = embeddings(np.stack([one.image for one in some]))
            self._ahead.extend(zip(some, codes, strict=True))
        return self._ahead.popleft()

    def pictures(self, person: Person, images: int) -> Iterator[Picture]:
        """Yield a person's pictures one by one, the first being its own face.

        They keep away from the people who are drawn by then. The first ones do not depend on how
        many are asked for.
        """
        _check_count("images", images, MOST_IMAGES)
        own = self.model.render(person.latent[None])[0]
        free = Face(own, person.seed, person.latent, person.tries, person.score)
        values = measured(own, self._fitted.columns)
        others = [one for i, one in enumerate(self._embeddings) if i != person.number]
        apart = _nearest(person.embedding, others)
        yield Picture(person, 0, free, values, person.embedding, 0.0, 0.0, apart, 1, True)
        taken = [person.embedding]
        rows: list[list[_Attempt]] = [[] for _ in range(images)]
        for number in range(1, images):
            while (chosen := self._choose(rows[number], taken)) is None:
                # Those that later pictures will need are made along with it.
                short = [
                    later
                    for later in range(number + 1, min(images, number + _AHEAD))
                    if self._choose(rows[later], taken) is None
                ]
                which = [(one, len(rows[one])) for one in (number, *short)]
                made = self._attempts(free, values, which, others)
                for (one, _), attempt in zip(which, made, strict=True):
                    rows[one].append(attempt)
            attempts, best, farthest = chosen
            rows[number] = []
            taken.append(best.embedding)
            yield Picture(
                person,
                number,
                best.face,
                measured(best.face.image, self._fitted.columns),
                best.embedding,
                float(_distances(best.embedding, taken[:1])[0]),
                farthest,
                best.nearest,
                attempts,
                self._keeps(best, farthest),
            )

    def _choose(
        self, attempts: Sequence[_Attempt], taken: Sequence[Float32]
    ) -> tuple[int, _Attempt, float] | None:
        """The first attempt that keeps the bounds, its number from 1, its distance to ``taken``.

        None where more are to be made; after the last one the best of all.
        """
        farthest = [float(_distances(one.embedding, taken).max()) for one in attempts]
        for i, (one, distance) in enumerate(zip(attempts, farthest, strict=True)):
            if self._keeps(one, distance):
                return i + 1, one, distance
        if len(attempts) < _MOST_ATTEMPTS:
            return None
        best = min(range(len(attempts)), key=lambda i: farthest[i] - attempts[i].nearest)
        return len(attempts), attempts[best], farthest[best]

    def _keeps(self, one: _Attempt, farthest: float) -> bool:
        return (
            one.face.steps > 0  # else it is the first picture again
            and farthest <= self.max_distance
            and one.nearest >= self.min_distance - _NEARER
        )

    def _attempts(
        self,
        free: Face,
        own: dict[str, float],
        which: Sequence[tuple[int, int]],
        others: Sequence[Float32],
    ) -> list[_Attempt]:
        """Make attempts (picture, attempt) for pictures of the person of a face."""
        asked = ((free, self._targets(free.seed, own, *one)) for one in which)
        made = list(
            moved(self.model, asked, threshold=self._threshold, hold=self._hold, most_steps=_STEPS)
        )
        codes = embeddings(np.stack([one.image for one in made]))
        return [
            _Attempt(one, code, _nearest(code, others))
            for one, code in zip(made, codes, strict=True)
        ]

    def _targets(self, seed: int, own: dict[str, float], number: int, attempt: int) -> Constraints:
        """What is asked of a picture: what a latent's face is likely to have, for its attempt."""
        fitted = self._fitted
        random = np.random.default_rng([seed, number, attempt])
        likely = fitted.predict(random.standard_normal(LATENT_SIZE))
        # What the latent does not tell, so that the targets spread as the faces do.
        rest = np.sqrt(np.clip(1 - fitted.fit, 0, 1)) * random.standard_normal(len(likely))
        values = fitted.mean + fitted.deviation * (likely + rest)
        near = _SHRINK ** max(0, attempt + 1 - _FULL_ATTEMPTS)
        asked: dict[str, object] = {}
        for name in self._vary:
            low, high = fitted.limits[name]
            value = float(values[fitted.columns.index(name)])
            begin = own[name] if math.isfinite(own[name]) else value
            asked[name] = min(max(begin + near * (value - begin), low), high)
        return Constraints.of(asked)


@dataclass(frozen=True, eq=False)
class _Attempt:
    """A face, its embedding, and how far the nearest of the other people's is."""

    face: ControlledFace
    embedding: Float32
    nearest: float


def identities(
    people: int,
    images: int = 20,
    seed: int | None = None,
    *,
    min_distance: float = SAME_PERSON,
    max_distance: float = SAME_PERSON,
    vary: Sequence[str] = VARIED,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    truncation: float = 1.0,
    model: Model | str | os.PathLike[str] | None = None,
    **wanted: object,
) -> Iterator[Picture]:
    """Yield pictures of ``people`` invented people, ``images`` of each, person by person.

    Lazily: what is not taken is not made; but all people are drawn before the first picture, which
    keeps away from all of them. ``wanted`` are attributes that are asked of the people, as in
    `ffgan.generate`: ``age=(20, 60)``. ``min_distance``, ``max_distance``: how far the embeddings
    of two people's first pictures are apart at least, and those of one person's pictures at most;
    see `Identities`. ``vary``: the attributes that differ between these. Without ``model``: the one
    that comes with the package. Raises `UsageError`, `ModelError` for a model without fitted
    attributes, `ExtraError` without the networks that
    measure, `Error` where there is no room for so many people so far apart.
    """
    _check_count("people", people, MOST_PEOPLE)
    _check_count("images", images, MOST_IMAGES)
    drawn = Identities(
        model if isinstance(model, Model) else Model.load(model),
        seed,
        Constraints.of(wanted),
        min_distance=min_distance,
        max_distance=max_distance,
        vary=vary,
        tries=tries,
        threshold=threshold,
        truncation=truncation,
    )

    def pictures() -> Iterator[Picture]:
        for person in [drawn.person() for _ in range(people)]:
            yield from drawn.pictures(person, images)

    return pictures()


def _distances(one: Float32, others: Sequence[Float32]) -> Float32:
    result: Float32 = np.linalg.norm(np.stack(others) - one, axis=1)
    return result


def _nearest(one: Float32, others: Sequence[Float32]) -> float:
    return float(_distances(one, others).min()) if others else math.inf


def _distance(name: str, value: float) -> float:
    if not 0 <= value <= 2:
        raise UsageError(f"{name} is {value!r}: give a distance of embeddings from 0 to 2")
    return float(value)


def _check_count(name: str, value: int, most: int) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, np.integer))
        or not (1 <= value <= most)
    ):
        raise UsageError(f"{name} is {value!r}: give a whole number from 1 to {most}")
