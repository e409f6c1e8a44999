# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes that faces can be asked for, and those that a face has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ffgan.attributes import Attribute
from ffgan.control import AttributeMap
from ffgan.control.text import shown
from ffgan.server.http.caching import NO_CACHE, check_modified, entity_tag, immutable
from ffgan.server.http.errors import BUSY, INVALID, RequestError
from ffgan.server.http.parameters import LimitedQuery, OneFaceParameters
from ffgan.server.http.shares import client_of
from ffgan.server.inference.asked import attributes_of, available, digest
from ffgan.server.inference.recipe import Recipe
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import NOT_MODIFIED, UNSUPPORTED
from ffgan.server.settings import Settings


class AttributeAnswer(BaseModel):
    """One attribute of this model's faces."""

    name: Annotated[str, Field(description="of the parameter that asks for it")]
    title: str
    help: str
    kind: Annotated[str, Field(description="number or choice")]
    unit: str
    decimals: Annotated[int, Field(description="worth showing")]
    low: Annotated[float, Field(description="the least that this model can do")]
    high: float
    tolerance: Annotated[float, Field(description="a value is reached when within it")]
    choices: list[str]
    column: Annotated[str, Field(description="the number behind it; a choice may share one")]
    value: Annotated[
        float | str | None, Field(description="of the face, where one is asked about")
    ] = None


class AttributesAnswer(BaseModel):
    attributes: list[AttributeAnswer]
    unavailable: Annotated[
        str | None, Field(description="why there are none, and the way to have them")
    ] = None


def add_attributes(app: FastAPI, inference: Inference, settings: Settings) -> None:
    query = Depends(LimitedQuery(OneFaceParameters, settings))

    async def attributes(request: Request, wanted: OneFaceParameters = query) -> Response:
        """The attributes that this model's faces can be asked for, with the range that it can do.
        With `seed` or `seeds` also their values for that face, found as `/face` finds it."""
        model = inference.loaded()
        try:
            known = attributes_of(model)
        except RequestError as error:
            if not wanted.random:
                raise
            answer = AttributesAnswer(attributes=[], unavailable=str(error))
            return JSONResponse(answer.model_dump(), headers=NO_CACHE)
        if wanted.random:
            headers = {**NO_CACHE, "ETag": entity_tag(model, "attributes", digest(known))}
            check_modified(request, headers)
            return JSONResponse(_answer(known, None), headers=headers)
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings))
        headers = immutable(request, model, "attributes", digest(known), recipe)
        client = client_of(request)

        async def measured() -> Mapping[str, float]:
            drawn = await recipe.draw(client, inference, model)
            return await inference.attributes(client, model, drawn.face.image)

        values = await inference.run(request, measured(), places=len(recipe.seeds))
        return JSONResponse(_answer(known, values), headers=headers)

    app.add_api_route(
        "/attributes",
        attributes,
        methods=["GET"],
        summary="The attributes of faces",
        response_model=AttributesAnswer,
        responses={**NOT_MODIFIED, **INVALID, **UNSUPPORTED, **BUSY},
    )


def _answer(known: AttributeMap, measured: Mapping[str, float] | None) -> dict[str, object]:
    answers = [_of(one, known, measured) for one in available(known)]
    return AttributesAnswer(attributes=answers).model_dump()


def _of(
    one: Attribute, known: AttributeMap, measured: Mapping[str, float] | None
) -> AttributeAnswer:
    value: float | str | None = None
    if measured is not None:
        text = shown(one, measured[one.column])
        value = float(text) if text and one.kind == "number" else text or None
    low, high = known.limits[one.column]
    return AttributeAnswer(
        name=one.name,
        title=one.title,
        help=one.help,
        kind=one.kind,
        unit=one.unit,
        decimals=one.decimals,
        low=low,
        high=high,
        tolerance=one.tolerance,
        choices=list(one.choices),
        column=one.column,
        value=value,
    )
