# SPDX-License-Identifier: GPL-3.0-or-later
"""What the URLs may say; a misspelt parameter is refused, not ignored."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, model_validator

from ffgan.images import DEFAULT_QUALITY
from ffgan.latent import MAX_SEED, random_seed
from ffgan.server.settings import Settings
from ffgan.shapes import IMAGE_SIZE, LATENT_SIZE

MIN_SIZE = 16
MAX_TRUNCATION = 2.0
MAX_SEEDS = 4
MAX_AMOUNT = 6.0
DEFAULT_COUNT = 16

SEED = "[0-9]{1,20}"
NUMBER = r"-?[0-9]{1,3}(\.[0-9]{1,9})?"
MOVE = f"[0-9]{{1,2}}:{NUMBER}"
MAX_MOVES = 20

P = TypeVar("P", bound=BaseModel)


def parse_seeds(text: str) -> tuple[int, ...]:
    """`12,99,7` as numbers; raises ValueError."""
    seeds = tuple(int(seed) for seed in text.split(","))
    if max(seeds) > MAX_SEED:
        raise ValueError(f"a seed is above {MAX_SEED}")
    return seeds


def parse_moves(text: str) -> tuple[tuple[int, float], ...]:
    """`0:1.5,3:-2` as pairs of a direction's index and an amount; raises ValueError."""
    moves = []
    for move in text.split(","):
        index, amount = move.split(":")
        if int(index) >= LATENT_SIZE:
            raise ValueError(f"direction {index} does not exist; they end at {LATENT_SIZE - 1}")
        if abs(float(amount)) > MAX_AMOUNT:
            raise ValueError(f"the amount {amount} is outside -{MAX_AMOUNT:g} to {MAX_AMOUNT:g}")
        moves.append((int(index), float(amount)))
    return tuple(moves)


def _checked_by(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


Seeds: TypeAlias = Annotated[
    str,
    Field(
        pattern=f"^{SEED}(,{SEED}){{1,{MAX_SEEDS - 1}}}$",
        description="of two to four faces, `12,99,7`",
    ),
    _checked_by(parse_seeds),
]
Moves: TypeAlias = Annotated[
    str, Field(pattern=f"^{MOVE}(,{MOVE}){{0,{MAX_MOVES - 1}}}$"), _checked_by(parse_moves)
]


class SearchParameters(BaseModel):
    """How the face of a seed is found."""

    model_config = ConfigDict(extra="forbid")

    truncation: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_TRUNCATION,
            allow_inf_nan=False,
            description="scale of the noise: the smaller, the plainer and more alike",
        ),
    ] = 1.0
    tries: Annotated[
        int | None,
        Field(ge=1, description="draws of the candidate search; none: the server's"),
    ] = None
    threshold: Annotated[
        float | None,
        Field(
            allow_inf_nan=False,
            description="discriminator score above which the search ends; none: the server's",
        ),
    ] = None


class PictureParameters(BaseModel):
    """How an image becomes a file."""

    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=MIN_SIZE, description="width and height in pixels")] = IMAGE_SIZE
    quality: Annotated[int, Field(ge=1, le=100, description="of the JPEG or WebP")] = (
        DEFAULT_QUALITY
    )


class FaceParameters(SearchParameters, PictureParameters):
    """One face: that of a seed, or one on the way between several."""

    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="the same seed is the same face; none: a random one"),
    ] = None
    seeds: Annotated[
        Seeds | None,
        Field(
            description="in place of `seed` two to four, `12,99,7`: a face on the way from one to "
            "the next"
        ),
    ] = None
    at: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_SEEDS - 1,
            allow_inf_nan=False,
            description="where on that way: 0 is the first of `seeds`, 1 the second, 0.5 halfway",
        ),
    ] = 0.0
    move: Annotated[
        Moves | None,
        Field(
            description="moves along the directions of /directions, `0:1.5,3:-2`: index and "
            "amount, -6 to 6 standard deviations of the noise"
        ),
    ] = None

    @model_validator(mode="after")
    def one_way_of_saying_who(self) -> FaceParameters:
        if self.seeds is None:
            if self.at:
                raise ValueError("at: needs `seeds`")
        else:
            if self.seed is not None:
                raise ValueError("seeds: excludes `seed`")
            last = self.seeds.count(",")
            if self.at > last:
                raise ValueError(f"at: these seeds end at {last}")
        return self

    @property
    def between(self) -> tuple[tuple[int, ...], float]:
        """Of `seeds`, the one or two that matter, and the position from 0 to 1 between them."""
        seeds = parse_seeds(self.seeds or "")
        first = min(math.floor(self.at), len(seeds) - 1)
        position = self.at - first
        return seeds[first : first + (2 if position else 1)], position

    @property
    def moves(self) -> tuple[tuple[int, float], ...]:
        return () if self.move is None else parse_moves(self.move)


class SeveralParameters(SearchParameters):
    """Faces of seeds that follow one another."""

    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="of the first face; none: a random one"),
    ] = None
    count: Annotated[int, Field(ge=1, description="how many; face i is that of seed + i")] = (
        DEFAULT_COUNT
    )

    @model_validator(mode="after")
    def seeds_that_exist(self) -> SeveralParameters:
        if self.seed is not None and self.seed + self.count - 1 > MAX_SEED:
            raise ValueError(f"seed: too large for {self.count} faces, seeds end at {MAX_SEED}")
        return self

    @property
    def first(self) -> int:
        return random_seed() if self.seed is None else self.seed


def limited(parameters: type[P], settings: Settings, **maxima: int) -> type[P]:
    """`parameters` with the maxima that the operator has set, and those given by name."""
    maxima = {"tries": settings.max_tries, "size": settings.max_size, **maxima}
    fields: dict[str, Any] = {}
    for name, most in maxima.items():
        if (field := parameters.model_fields.get(name)) is not None:
            annotation: Any = field.annotation
            for part in (*field.metadata, Field(le=most, description=field.description)):
                annotation = Annotated[annotation, part]
            fields[name] = (annotation, field.default and min(field.default, most))
    return create_model(parameters.__name__, __base__=parameters, **fields)
