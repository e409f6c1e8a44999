# SPDX-License-Identifier: GPL-3.0-or-later
"""One face with an attribute from end to end, or with two of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import AfterValidator, Field

from ffgan import images
from ffgan.attributes import ATTRIBUTES
from ffgan.attributes.definitions import named
from ffgan.control import Axis, ControlledFace, axes, cells
from ffgan.control.text import asked_text
from ffgan.errors import UsageError
from ffgan.latent import MAX_SEED, random_seed
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.caching import immutable, not_stored
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


def _one(name: str) -> str:
    if "," in name:
        raise ValueError(f"give one attribute, such as age, not {name[:40]!r}; /grid.* takes two")
    named(name)
    return name


def _two_different(names: str) -> str:
    parts = names.split(",")
    if len(parts) != 2:
        raise ValueError(f"give two attributes, such as age,smile, not {names[:40]!r}")
    named(parts)
    first, second = parts
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
    vary: Annotated[
        str,
        Field(
            json_schema_extra={"pattern": f"^{NAME}$"}, description="the attribute, such as `age`"
        ),
        AfterValidator(_one),
    ]
    count: Annotated[
        int, Field(ge=2, le=MOST, description="number of faces; a choice has one for each word")
    ] = DEFAULT_COUNT


class GridParameters(VariedParameters):
    vary: Annotated[
        str,
        Field(
            json_schema_extra={"pattern": f"^{NAME},{NAME}$"},
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
        holds for all of them. `X-FFGAN-Vary` has the values, `X-FFGAN-Reached` yes or no for each
        face, and the file's metadata what it has. With `seed` the response may be cached without
        limit."""
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
    varied = _axes(counts, model)
    columns = len(varied[0].values)
    searches = _searches(wanted, varied, model, settings)
    count = len(searches)
    if count > settings.max_grid:
        raise RequestError(
            422,
            "invalid_parameter",
            f"columns: {count} faces exceed the limit of {settings.max_grid} in a grid",
            parameter="columns",
        )
    check_pixels(count * wanted.size**2, settings)
    caching = not_stored(model)
    if wanted.seed is not None:
        caching = immutable(request, model, "strip", format, wanted, searches)
    vary = "; ".join(f"{one.attribute.name}={','.join(one.values)}" for one in varied)
    seed, client = wanted.first, client_of(request)
    picture = Picture(format, wanted.size, wanted.quality)

    async def faces() -> list[Face]:
        # The first one alone: after it the others need not find where all set out from.
        found = [await inference.face(client, model, seed, searches[0])]
        work = (inference.face(client, model, seed, search) for search in searches[1:])
        return found + [face async for face in in_order(work, inference.batch)]

    def encode(found: list[Face]) -> bytes:
        each = [search.metadata(model, face) for search, face in zip(searches, found, strict=True)]
        metadata = searches[0].free.metadata(model) | asked_text(wanted.constraints)
        metadata |= {"seed": str(seed), "vary": vary}
        for name in ("measured", "reached", "score", "tries"):
            metadata[name] = " | ".join(one[name] for one in each)
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
        "X-FFGAN-Vary": vary,
        "X-FFGAN-Reached": reached_line(found),
        "Content-Disposition": f'inline; filename="ffgan-{seed}-{"-".join(counts)}.{format}"',
    }
    return BodyResponse(body, bodies, media_type=MEDIA_TYPES[format], headers=headers)


def reached_line(found: Sequence[Face]) -> str:
    """Of each face, whether it has what is asked of it."""
    return ",".join(
        "no" if isinstance(face, ControlledFace) and not face.reached else "yes" for face in found
    )


def _axes(counts: dict[str, int], model: Model) -> list[Axis]:
    """What is varied; raises RequestError where the model does not have it."""
    fitted = attributes_of(model)
    try:
        return [axis for name, n in counts.items() for axis in axes({name: None}, fitted, n)]
    except UsageError as error:
        raise _refused(error) from None


def _searches(
    wanted: VariedParameters, varied: Sequence[Axis], model: Model, settings: Settings
) -> list[Search]:
    """One for each face, row by row; what else was asked holds in all of them."""
    base = Search.of(wanted, model, settings)
    try:
        rows = cells(varied, wanted.constraints)
    except UsageError as error:
        raise _refused(error) from None
    return [base.asking(asked, model, one_draw=True) for row in rows for asked in row]


def _refused(error: UsageError) -> RequestError:
    return RequestError(422, "invalid_parameter", f"vary: {error}", parameter="vary")
