# SPDX-License-Identifier: GPL-3.0-or-later
"""The directions along which ``move`` changes a face."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ffgan.server.http.caching import NO_CACHE, check_modified, entity_tag
from ffgan.server.http.errors import BUSY, INVALID
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import NOT_MODIFIED
from ffgan.shapes import LATENT_SIZE

DEFAULT_COUNT = 12


class DirectionParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: Annotated[
        int, Field(ge=1, le=LATENT_SIZE, description="number of directions, the strongest first")
    ] = DEFAULT_COUNT


class DirectionAnswer(BaseModel):
    """One direction of the latent space."""

    index: Annotated[int, Field(description="its number in `move`")]
    strength: Annotated[
        float, Field(description="share of the first layer's variance along it, 0 to 1")
    ]
    low: Annotated[str | None, Field(description="effect of negative amounts, where it has a name")]
    high: Annotated[str | None, Field(description="effect of positive amounts")]


def add_directions(app: FastAPI, inference: Inference) -> None:
    @app.get(
        "/directions",
        summary="The strongest directions of the latent space",
        response_model=list[DirectionAnswer],
        responses={**NOT_MODIFIED, **INVALID, **BUSY},
    )
    async def directions(
        request: Request, wanted: Annotated[DirectionParameters, Query()]
    ) -> Response:
        """The directions along which faces change most, by closed-form factorisation of the
        generator's first layer (SeFa), with the names that the model file has for them."""
        model = inference.loaded()
        found = (await inference.offload(model.directions))[: wanted.count]
        names = [(direction.low, direction.high) for direction in found]
        headers = {**NO_CACHE, "ETag": entity_tag(model, "directions", names)}
        check_modified(request, headers)
        answer = [
            DirectionAnswer(
                index=direction.index,
                strength=round(direction.strength, 6),
                low=direction.low,
                high=direction.high,
            ).model_dump()
            for direction in found
        ]
        return JSONResponse(answer, headers=headers)
