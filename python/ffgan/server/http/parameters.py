# SPDX-License-Identifier: GPL-3.0-or-later
"""Query parameters, shared by the endpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, model_validator

from ffgan.images import DEFAULT_QUALITY
from ffgan.latent import MAX_SEED, random_seed
from ffgan.server.http.asked import AskedParameters, asked_fields
from ffgan.server.settings import MIN_SIZE, Settings
from ffgan.shapes import IMAGE_SIZE, LATENT_SIZE

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
    """``12,99,7`` as numbers; raises ValueError."""
    seeds = tuple(int(seed) for seed in text.split(","))
    if max(seeds) > MAX_SEED:
        raise ValueError(f"a seed is above {MAX_SEED}")
    return seeds


def parse_moves(text: str) -> tuple[tuple[int, float], ...]:
    """``0:1.5,3:-2`` as pairs of a direction's index and an amount; raises ValueError."""
    moves = []
    for move in text.split(","):
        index, amount = move.split(":")
        if int(index) >= LATENT_SIZE:
            raise ValueError(f"direction {index} does not exist; the last is {LATENT_SIZE - 1}")
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
        description="two to four seeds, such as `12,99,7`",
    ),
    _checked_by(parse_seeds),
]
Moves: TypeAlias = Annotated[
    str, Field(pattern=f"^{MOVE}(,{MOVE}){{0,{MAX_MOVES - 1}}}$"), _checked_by(parse_moves)
]


class SearchParameters(AskedParameters):
    """The candidate search for the face of a seed, and what is asked of it."""

    truncation: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_TRUNCATION,
            allow_inf_nan=False,
            description="scale of the noise: smaller values give more typical, less varied faces",
        ),
    ] = 1.0
    tries: Annotated[
        int | None,
        Field(ge=1, description="draws of the candidate search; default: the server's setting"),
    ] = None
    threshold: Annotated[
        float | None,
        Field(
            allow_inf_nan=False,
            description="discriminator score that ends the search; default: the server's setting",
        ),
    ] = None


class PictureParameters(BaseModel):
    """The encoding of an image as a file."""

    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=MIN_SIZE, description="width and height in pixels")] = IMAGE_SIZE
    quality: Annotated[int, Field(ge=1, le=100, description="of a JPEG or WebP file")] = (
        DEFAULT_QUALITY
    )


class OneFaceParameters(SearchParameters):
    """One face: that of a seed, or one interpolated between several seeds."""

    seed: Annotated[
        int | None,
        Field(
            ge=0,
            le=MAX_SEED,
            description="the same seed gives the same face; default: a random seed",
        ),
    ] = None
    seeds: Annotated[
        Seeds | None,
        Field(
            description="instead of `seed`, two to four seeds, `12,99,7`: a face interpolated "
            "between them"
        ),
    ] = None
    at: Annotated[
        float,
        Field(
            ge=0,
            le=MAX_SEEDS - 1,
            allow_inf_nan=False,
            description="position between `seeds`: 0 is the first, 1 the second, 0.5 halfway",
        ),
    ] = 0.0
    move: Annotated[
        Moves | None,
        Field(
            description="offsets along the directions of /directions, `0:1.5,3:-2`: index and "
            "amount, -6 to 6 standard deviations of the noise"
        ),
    ] = None

    @model_validator(mode="after")
    def check_seed_or_seeds(self) -> OneFaceParameters:
        if self.seeds is None:
            if self.at:
                raise ValueError("at: needs `seeds`")
        else:
            if self.seed is not None:
                raise ValueError("seeds: excludes `seed`")
            last = self.seeds.count(",")
            if self.at > last:
                raise ValueError(f"at: the last position of these seeds is {last}")
        return self

    @property
    def between(self) -> tuple[tuple[int, ...], float]:
        """The one or two of ``seeds`` next to ``at``, and the position from 0 to 1 between them."""
        seeds = parse_seeds(self.seeds or "")
        first = min(math.floor(self.at), len(seeds) - 1)
        position = self.at - first
        return seeds[first : first + (2 if position else 1)], position

    @property
    def moves(self) -> tuple[tuple[int, float], ...]:
        return () if self.move is None else parse_moves(self.move)

    @property
    def random(self) -> bool:
        """Whether no seed is given."""
        return self.seed is None and self.seeds is None


class FaceParameters(OneFaceParameters, PictureParameters):
    """The file of one face."""


class SeedRangeParameters(SearchParameters):
    """The faces of consecutive seeds."""

    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="of the first face; default: a random seed"),
    ] = None
    count: Annotated[
        int, Field(ge=1, description="number of faces; face i is that of seed + i")
    ] = DEFAULT_COUNT

    @model_validator(mode="after")
    def check_last_seed(self) -> SeedRangeParameters:
        if self.seed is not None and self.seed + self.count - 1 > MAX_SEED:
            raise ValueError(f"seed: too large for {self.count} faces, the last seed is {MAX_SEED}")
        return self

    @property
    def first(self) -> int:
        return random_seed() if self.seed is None else self.seed


class LimitedQuery(Generic[P]):
    """A FastAPI dependency: the query as ``parameters``, within the server's limits.

    Further maxima are given by the parameter's name.
    """

    def __init__(self, parameters: type[P], settings: Settings, **maxima: int) -> None:
        limited = with_limits(parameters, settings, **maxima)
        # FastAPI reads from the signature what to parse, and what /openapi.json says about it.
        query = Parameter("query", Parameter.KEYWORD_ONLY, annotation=Annotated[limited, Query()])
        self.__signature__ = Signature([query])

    # Not a plain function, which FastAPI would run on a thread of its own.
    async def __call__(self, query: P) -> P:
        return query


def with_limits(parameters: type[P], settings: Settings, **maxima: int) -> type[P]:
    """A subclass of ``parameters`` with the maxima of ``settings`` and those given by name."""
    maxima = {"tries": settings.max_tries, "size": settings.max_size, **maxima}
    fields: dict[str, Any] = {}
    for name, most in maxima.items():
        if (field := parameters.model_fields.get(name)) is not None:
            annotation: Any = field.annotation
            for part in (*field.metadata, Field(le=most, description=field.description)):
                annotation = Annotated[annotation, part]
            fields[name] = (annotation, field.default and min(field.default, most))
    if issubclass(parameters, AskedParameters):
        fields |= asked_fields()
    return create_model(parameters.__name__, __base__=parameters, **fields)
