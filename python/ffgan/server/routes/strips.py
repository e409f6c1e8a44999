# SPDX-License-Identifier: GPL-3.0-or-later
"""One face with an attribute from end to end, or with two of them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import AfterValidator, Field

from ffgan import images
from ffgan.attributes import ATTRIBUTES, Attribute
from ffgan.attributes.definitions import named
from ffgan.control import Constraints
from ffgan.errors import UsageError
from ffgan.latent import MAX_SEED, random_seed
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.caching import NO_STORE, immutable
from ffgan.server.http.encoding import MEDIA_TYPES, Picture, check_pixels
from ffgan.server.http.errors import RequestError
from ffgan.server.http.parameters import LimitedQuery, PictureParameters, SearchParameters
from ffgan.server.http.shares import BodyResponse, Shares, client_of
from ffgan.server.http.streaming import in_order
from ffgan.server.inference.asked import attributes_of
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.grids import BYTES_PER_PIXEL
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings

NAME = f"({'|'.join(ATTRIBUTES)})"
MOST = 20
DEFAULT_COUNT = 7
DEFAULT_SIDE = 5


def _two_different(names: str) -> str:
    first, second = names.split(",")
    if ATTRIBUTES[first].column == ATTRIBUTES[second].column:
        raise ValueError(f"{first} and {second} are one measurement")
    return names


class VariedParameters(SearchParameters, PictureParameters):
    """One face in several ways."""

    seed: Annotated[
        int | None, Field(ge=0, le=MAX_SEED, description="of the face; default: a random seed")
    ] = None

    @property
    def first(self) -> int:
        return random_seed() if self.seed is None else self.seed


class StripParameters(VariedParameters):
    vary: Annotated[str, Field(pattern=f"^{NAME}$", description="the attribute, such as `age`")]
    count: Annotated[
        int, Field(ge=2, le=MOST, description="number of faces; a choice has one for each word")
    ] = DEFAULT_COUNT


class GridParameters(VariedParameters):
    vary: Annotated[
        str,
        Field(
            pattern=f"^{NAME},{NAME}$",
            description="two attributes, `age,smile`: the first from left to right, the second "
            "from top to bottom",
        ),
        AfterValidator(_two_different),
    ]
    columns: Annotated[int, Field(ge=2, le=MOST, description="values of the first")] = DEFAULT_SIDE
    rows: Annotated[int, Field(ge=2, le=MOST, description="values of the second")] = DEFAULT_SIDE


def add_strips(app: FastAPI, inference: Inference, settings: Settings, bodies: Shares) -> None:
    """The endpoints /strip and /grid, with .png, .jpg and .webp."""
    for format in MEDIA_TYPES:
        _add_strip(app, inference, settings, bodies, format)
        _add_grid(app, inference, settings, bodies, format)


def _add_strip(
    app: FastAPI,
    inference: Inference,
    settings: Settings,
    bodies: Shares,
    format: images.Format,
) -> None:
    query = Depends(LimitedQuery(StripParameters, settings, count=min(MOST, settings.max_grid)))

    async def strip(request: Request, wanted: StripParameters = query) -> Response:
        """One face with one attribute from end to end, side by side; what else is asked of it
        holds for all of them. `X-FFGAN-Vary` has the values, and the file's metadata what each
        face has. With `seed` the response may be cached without limit."""
        return await _sheet(
            request, wanted, {wanted.vary: wanted.count}, inference, settings, bodies, format
        )

    add_file_route(
        app,
        f"/strip.{format}",
        strip,
        summary=f"One attribute from end to end as {format.upper()}",
        media_types=[MEDIA_TYPES[format]],
        description="The strip",
    )


def _add_grid(
    app: FastAPI,
    inference: Inference,
    settings: Settings,
    bodies: Shares,
    format: images.Format,
) -> None:
    query = Depends(LimitedQuery(GridParameters, settings))

    async def grid(request: Request, wanted: GridParameters = query) -> Response:
        """One face with one attribute from end to end from left to right, and another one from top
        to bottom. Otherwise as `/strip`."""
        first, second = wanted.vary.split(",")
        counts = {first: wanted.columns, second: wanted.rows}
        return await _sheet(request, wanted, counts, inference, settings, bodies, format)

    add_file_route(
        app,
        f"/grid.{format}",
        grid,
        summary=f"Two attributes from end to end as {format.upper()}",
        media_types=[MEDIA_TYPES[format]],
        description="The grid",
    )


async def _sheet(
    request: Request,
    wanted: VariedParameters,
    counts: dict[str, int],
    inference: Inference,
    settings: Settings,
    bodies: Shares,
    format: images.Format,
) -> Response:
    """Faces with ``counts`` values of each attribute; those of the first are side by side."""
    model = inference.loaded()
    values = _values(counts, model)
    columns = len(next(iter(values.values())))
    searches = _searches(wanted, values, model, settings)
    count = len(searches)
    if count > settings.max_grid:
        raise RequestError(
            422,
            "invalid_parameter",
            f"columns: {count} faces exceed the limit of {settings.max_grid} in a grid",
            parameter="columns",
        )
    check_pixels(count * wanted.size**2, settings)
    caching = NO_STORE
    if wanted.seed is not None:
        caching = immutable(request, model, "strip", format, wanted, searches)
    seed, client = wanted.first, client_of(request)
    picture = Picture(format, wanted.size, wanted.quality)

    async def faces() -> list[Face]:
        # All set out from it: found once, not by each at the same time.
        await inference.latent(client, model, seed, searches[0].free)
        work = (inference.face(client, model, seed, search) for search in searches)
        return [face async for face in in_order(work, inference.batch)]

    def encode(found: list[Face]) -> bytes:
        each = [search.metadata(model, face) for search, face in zip(searches, found, strict=True)]
        metadata = each[0] | {
            name: "; ".join(one[name] for one in each)
            for name in ("asked", "attributes", "score", "tries")
        }
        drawn = (picture.resize(face.image) for face in found)
        sheet = images.sheet(drawn, count, wanted.size, columns)
        return images.encode(sheet, format, wanted.quality, metadata, overwrite=True)

    found = await inference.run(request, faces(), places=min(count, inference.batch), long=True)
    need = BYTES_PER_PIXEL * count * wanted.size**2
    work = functools.partial(encode, found)
    body = await inference.watch(request, inference.in_budget(client, need, work))
    headers = {
        **caching,
        "X-FFGAN-Seed": str(seed),
        "X-FFGAN-Vary": "; ".join(f"{name}={','.join(each)}" for name, each in values.items()),
        "Content-Disposition": f'inline; filename="ffgan-{seed}-{"-".join(values)}.{format}"',
    }
    return BodyResponse(body, bodies, media_type=MEDIA_TYPES[format], headers=headers)


def _values(counts: dict[str, int], model: Model) -> dict[str, list[str]]:
    """The values of each attribute; raises RequestError where the model does not have it."""
    limits = attributes_of(model).limits
    values = {}
    for one in named(counts):
        if one.column not in limits:
            message = f"vary: this model has no attribute {one.name}; /attributes lists its own"
            raise RequestError(422, "invalid_parameter", message, parameter="vary")
        values[one.name] = _steps(one, limits[one.column], counts[one.name])
    return {name: values[name] for name in counts}


def _searches(
    wanted: VariedParameters,
    values: dict[str, list[str]],
    model: Model,
    settings: Settings,
) -> Sequence[Search]:
    """One for each face, row by row; what else was asked holds in all of them."""
    base = Search.of(wanted, model, settings)
    asked, changes = wanted.constraints.text(), wanted.constraints.changes_text()
    for name in values:
        asked.pop(name, None)
        changes.pop(name, None)
    across, *down = values.items()
    searches = []
    for below in itertools.product(*(each for _, each in down)):
        for value in across[1]:
            cell = {across[0]: value} | dict(zip((name for name, _ in down), below, strict=True))
            try:
                constraints = Constraints.of({**asked, **cell}, changes)
            except UsageError as error:
                message = f"vary: {error}"
                raise RequestError(422, "invalid_parameter", message, parameter="vary") from None
            searches.append(base.asking(constraints, model, one_draw=True))
    return searches


def _steps(attribute: Attribute, limits: tuple[float, float], count: int) -> list[str]:
    """Return ``count`` values as text for `Constraints.of`, evenly over ``limits``, both ends in.

    A choice has its words, whatever ``count`` is. Raises `UsageError` for fewer than 2.
    """
    if attribute.kind == "choice":
        return list(attribute.choices)
    if count < 2:
        raise UsageError(f"a strip of {count}: give at least 2")
    low, high = limits
    # The ends are rounded inwards, as a value beyond them would be refused.
    scale = 10**attribute.decimals
    low, high = math.ceil(low * scale) / scale, math.floor(high * scale) / scale
    return [
        f"{low + (high - low) * place / (count - 1):.{attribute.decimals}f}"
        for place in range(count)
    ]
