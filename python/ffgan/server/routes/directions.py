# SPDX-License-Identifier: GPL-3.0-or-later
"""The directions along which `move` changes a face."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ffgan.server.http.caching import REVALIDATED, entity_tag, not_modified
from ffgan.server.http.errors import BUSY, INVALID
from ffgan.server.inference.service import Inference
from ffgan.shapes import LATENT_SIZE

DEFAULT_COUNT = 12


class DirectionParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: Annotated[int, Field(ge=1, le=LATENT_SIZE, description="how many, the strongest")] = (
        DEFAULT_COUNT
    )


class DirectionAnswer(BaseModel):
    """One direction of the latent space."""

    index: Annotated[int, Field(description="its number in `move`")]
    strength: Annotated[
        float, Field(description="share of the first layer's variance along it, 0 to 1")
    ]
    low: Annotated[str | None, Field(description="what negative amounts do, where it has a name")]
    high: Annotated[str | None, Field(description="what positive amounts do")]


def add_directions(app: FastAPI, inference: Inference) -> None:
    @app.get(
        "/directions",
        summary="The strongest directions of the latent space",
        response_model=list[DirectionAnswer],
        responses={304: {"description": "The list is still right"}, **INVALID, **BUSY},
    )
    async def directions(
        request: Request, wanted: Annotated[DirectionParameters, Query()]
    ) -> Response:
        """Along which faces change most, by the closed-form factorisation of the generator's first
        layer (SeFa); with the model's names for what they do, where it has any."""
        model = inference.loaded()
        found = (await inference.offload(model.directions))[: wanted.count]
        names = [(direction.low, direction.high) for direction in found]
        headers = {**REVALIDATED, "ETag": entity_tag(model, "directions", names)}
        if (known := not_modified(request, headers["ETag"], headers)) is not None:
            return known
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
