# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes that faces can be asked for, and those that a face has."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ffgan.attributes import ATTRIBUTES, Attribute, recognition
from ffgan.control import ControlledFace
from ffgan.control.measuring import measured
from ffgan.control.text import shown
from ffgan.server.http import image_uploads
from ffgan.server.http.caching import NO_CACHE, NO_STORE, check_modified, entity_tag, immutable
from ffgan.server.http.errors import BUSY, INVALID, RequestError
from ffgan.server.http.parameters import LimitedQuery, OneFaceParameters
from ffgan.server.http.shares import client_of
from ffgan.server.http.uploads import UPLOAD_ERRORS, Uploads
from ffgan.server.inference.asked import attributes_of, check_installed, digest
from ffgan.server.inference.face_uploads import WhichFace, uploaded_face
from ffgan.server.inference.recipe import Recipe
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import NOT_MODIFIED, UNSUPPORTED
from ffgan.server.settings import Settings

Limits: TypeAlias = Mapping[str, tuple[float, float]]
"""From where to where the number in each column goes."""


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
    distance: Annotated[
        float | None,
        Field(
            description="where something is asked of a seed's face: that of its embedding, by "
            "dlib's face recognition network, to the same seed's face without it; below 0.6 are "
            "mostly pictures of one person"
        ),
    ] = None
    unavailable: Annotated[
        str | None, Field(description="why there are none, and the way to have them")
    ] = None


def add_attributes(
    app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads
) -> None:
    _add_attributes_of_faces(app, inference, settings)
    _add_attributes_of_photographs(app, inference, settings, uploads)


def _add_attributes_of_faces(app: FastAPI, inference: Inference, settings: Settings) -> None:
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
            return JSONResponse(_answer(known.limits, None), headers=headers)
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings))
        headers = immutable(request, model, "attributes", digest(known), recipe)
        client = client_of(request)

        async def values_of_face() -> tuple[Mapping[str, float], float | None]:
            face = (await recipe.draw(client, inference, model)).face
            values = await inference.attributes(client, model, face.image)
            if not isinstance(face, ControlledFace):
                return values, None
            free, _ = await inference.render(client, model, face.free.latent)
            apart = functools.partial(recognition.distance, face.image, free)
            return values, await inference.measure(client, apart)

        values, apart = await inference.run(request, values_of_face(), places=len(recipe.seeds))
        return JSONResponse(_answer(known.limits, values, apart), headers=headers)

    app.add_api_route(
        "/attributes",
        attributes,
        methods=["GET"],
        summary="The attributes of faces",
        response_model=AttributesAnswer,
        responses={**NOT_MODIFIED, **INVALID, **UNSUPPORTED, **BUSY},
    )


def _add_attributes_of_photographs(
    app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads
) -> None:
    query = Depends(LimitedQuery(WhichFace, settings))
    limits = {one.column: (one.low, one.high) for one in reversed(list(ATTRIBUTES.values()))}

    @app.post(
        "/attributes",
        name="attributes_of_photograph",
        summary="The attributes of a face in a photograph",
        response_model=AttributesAnswer,
        responses={**INVALID, **UPLOAD_ERRORS, **UNSUPPORTED, **BUSY},
        openapi_extra=image_uploads.BODY,
    )
    async def attributes(request: Request, wanted: WhichFace = query) -> Response:
        """What is measured on the largest face of a photograph, the request's body, as for
        `/score`. An image of 162x162 is taken for a face as it is. `low` and `high` are those of
        almost all faces. Nothing of it is kept."""
        check_installed()
        face = await uploaded_face(request, inference, uploads, settings, wanted.face)
        work = functools.partial(measured, face, tuple(limits))
        values = await inference.run(request, inference.measure(client_of(request), work))
        return JSONResponse(_answer(limits, values), headers=NO_STORE)


def _answer(
    limits: Limits, measured: Mapping[str, float] | None, distance: float | None = None
) -> dict[str, object]:
    answers = [
        _of(one, limits[one.column], measured)
        for one in ATTRIBUTES.values()
        if one.column in limits
    ]
    apart = None if distance is None else round(distance, 3)
    return AttributesAnswer(attributes=answers, distance=apart).model_dump()


def _of(
    one: Attribute, limits: tuple[float, float], measured: Mapping[str, float] | None
) -> AttributeAnswer:
    value: float | str | None = None
    if measured is not None:
        text = shown(one, measured[one.column])
        value = float(text) if text and one.kind == "number" else text or None
    low, high = limits
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
