# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces side by side in one image."""

from __future__ import annotations

import functools
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import Field

from ffgan import images
from ffgan.model.candidate_search import Face
from ffgan.server.http.caching import immutable, not_stored
from ffgan.server.http.encoding import MEDIA_TYPES, Picture, check_pixels
from ffgan.server.http.parameters import LimitedQuery, PictureParameters, SeedRangeParameters
from ffgan.server.http.shares import BodyResponse, Shares, client_of
from ffgan.server.http.streaming import in_order
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings


class GridParameters(SeedRangeParameters, PictureParameters):
    columns: Annotated[
        int | None, Field(ge=1, le=1000, description="default: as square as possible")
    ] = None


BYTES_PER_PIXEL = 9
"""The sheet, its file as OpenCV has it, and a copy of that, both as large at the worst."""


def add_grids(app: FastAPI, inference: Inference, settings: Settings, bodies: Shares) -> None:
    """The endpoints /faces.png, /faces.jpg and /faces.webp."""
    for format in MEDIA_TYPES:
        _add_grid(app, inference, settings, bodies, format)


def _add_grid(
    app: FastAPI,
    inference: Inference,
    settings: Settings,
    bodies: Shares,
    format: images.Format,
) -> None:
    query = Depends(LimitedQuery(GridParameters, settings, count=settings.max_grid))

    async def faces(request: Request, wanted: GridParameters = query) -> Response:
        """Several faces side by side, row by row. With `seed` the response may be cached without
        limit."""
        check_pixels(wanted.count * wanted.size**2, settings)
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = not_stored(model)
        if wanted.seed is not None:
            caching = immutable(request, model, f"grid {format}", wanted, search)
        first, client = wanted.first, client_of(request)
        picture = Picture(format, wanted.size, wanted.quality)

        async def grid() -> list[Face]:
            searches = (
                inference.face(client, model, first + i, search) for i in range(wanted.count)
            )
            return [face async for face in in_order(searches, inference.batch)]

        def encode(found: list[Face]) -> bytes:
            metadata = search.metadata(model, found[0]) | {
                "count": str(wanted.count),
                "tries": " ".join(str(face.tries) for face in found),
                "score": " ".join(f"{face.score:.4f}" for face in found),
            }
            drawn = (picture.resize(face.image) for face in found)
            sheet = images.sheet(drawn, wanted.count, wanted.size, wanted.columns)
            return images.encode(sheet, format, wanted.quality, metadata, overwrite=True)

        places = min(wanted.count, inference.batch)
        found = await inference.run(request, grid(), places=places, long=True)
        need = BYTES_PER_PIXEL * wanted.count * wanted.size**2
        work = functools.partial(encode, found)
        body = await inference.watch(request, inference.in_budget(client, need, work))
        file = f"ffgan-{first}-{wanted.count}.{format}"
        headers = {
            **caching,
            "X-FFGAN-Seed": str(first),
            "Content-Disposition": f'inline; filename="{file}"',
        }
        return BodyResponse(body, bodies, media_type=MEDIA_TYPES[format], headers=headers)

    add_file_route(
        app,
        f"/faces.{format}",
        faces,
        summary=f"Several faces in one {format.upper()}",
        media_types=[MEDIA_TYPES[format]],
        description="The faces",
    )
