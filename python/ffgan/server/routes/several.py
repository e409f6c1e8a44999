# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces at once: side by side in one picture, or each as a file in an archive."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import Field

from ffgan import images
from ffgan.model import Model
from ffgan.server.http import archive_stream as archives
from ffgan.server.http.archive_stream import Archive
from ffgan.server.http.caching import RANDOM, SEEDED, entity_tag, not_modified
from ffgan.server.http.encoding import MEDIA_TYPES, Picture, check_pixels
from ffgan.server.http.errors import BUSY, INVALID
from ffgan.server.http.parameters import PictureParameters, SeveralParameters, limited
from ffgan.server.http.streaming import Stream, in_order
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings


class GridParameters(SeveralParameters, PictureParameters):
    columns: Annotated[
        int | None, Field(ge=1, le=1000, description="none: as near to a square as it gets")
    ] = None


class ArchiveParameters(SeveralParameters, PictureParameters):
    format: Annotated[images.Format, Field(description="of each file")] = "png"


def add_several(app: FastAPI, inference: Inference, settings: Settings) -> None:
    """The endpoints that answer with several faces."""
    for format in MEDIA_TYPES:
        _add_grid(app, inference, settings, format)
    for kind in archives.MEDIA_TYPES:
        _add_archive(app, inference, settings, kind)


def _caching(model: Model, wanted: SeveralParameters, search: Search, kind: str) -> dict[str, str]:
    if wanted.seed is None:
        return RANDOM
    return {**SEEDED, "ETag": entity_tag(model, kind, wanted, search)}


def _add_grid(
    app: FastAPI, inference: Inference, settings: Settings, format: images.Format
) -> None:
    async def faces(request: Request, wanted: GridParameters) -> Response:
        """Several faces side by side, row by row. With `seed` the answer may be cached for ever."""
        check_pixels(wanted.count * wanted.size**2, settings)
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = _caching(model, wanted, search, f"grid {format}")
        if "ETag" in caching and (known := not_modified(request, caching["ETag"], caching)):
            return known
        first = wanted.first
        picture = Picture(format, wanted.size, wanted.quality)

        async def sheet() -> bytes:
            found = in_order(
                (search.face(inference, model, first + i) for i in range(wanted.count)),
                inference.batch,
            )
            every = [face async for face in found]

            def encode() -> bytes:
                resized = np.stack([picture.resize(face.image) for face in every])
                origin = search.origin(model, every[0]) | {
                    "count": str(wanted.count),
                    "tries": " ".join(str(face.tries) for face in every),
                    "score": " ".join(f"{face.score:.4f}" for face in every),
                }
                sheet = images.grid(resized, wanted.columns)
                return images.encode(sheet, format, wanted.quality, origin)

            return await inference.offload(encode)

        places = min(wanted.count, inference.batch)
        body = await inference.answer(request, sheet(), places=places)
        file = f"ffgan-{first}-{wanted.count}.{format}"
        headers = {
            **caching,
            "X-FFGAN-Seed": str(first),
            "Content-Disposition": f'inline; filename="{file}"',
        }
        return Response(body, media_type=MEDIA_TYPES[format], headers=headers)

    parameters = limited(GridParameters, settings, count=settings.max_grid)
    faces.__annotations__["wanted"] = Annotated[parameters, Query()]
    app.add_api_route(
        f"/faces.{format}",
        faces,
        methods=["GET"],
        name=f"faces_{format}",
        summary=f"Several faces in one {format.upper()}",
        response_class=Response,
        responses={
            200: {"content": {MEDIA_TYPES[format]: {}}, "description": "The faces"},
            304: {"description": "The faces named by If-None-Match are still right"},
            **INVALID,
            **BUSY,
        },
    )


def _add_archive(
    app: FastAPI, inference: Inference, settings: Settings, kind: archives.Kind
) -> None:
    async def faces(request: Request, wanted: ArchiveParameters) -> Response:
        """Several faces, each as a file `face-SEED` whose metadata say what made it; the archive
        is sent while it is made. With `seed` the answer may be cached for ever."""
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = _caching(model, wanted, search, kind)
        if "ETag" in caching and (known := not_modified(request, caching["ETag"], caching)):
            return known
        first = wanted.first
        picture = Picture(wanted.format, wanted.size, wanted.quality)

        async def file(seed: int) -> tuple[str, bytes]:
            face = await search.face(inference, model, seed)
            origin = search.origin(model, face)
            data = await inference.offload(picture.encode, face.image, origin)
            return f"face-{seed}.{wanted.format}", data

        async def parts() -> AsyncGenerator[bytes, None]:
            with Archive(kind) as archive:
                files = (file(first + i) for i in range(wanted.count))
                async for name, data in in_order(files, inference.batch):
                    yield archive.add(name, data)
                yield archive.finish()

        name = f"ffgan-{first}-{wanted.count}.{kind}"
        return Stream(
            parts(),
            inference.take(min(wanted.count, inference.batch), long=True),
            media_type=archives.MEDIA_TYPES[kind],
            headers={
                **caching,
                "X-FFGAN-Seed": str(first),
                "Content-Disposition": f'attachment; filename="{name}"',
            },
        )

    parameters = limited(ArchiveParameters, settings, count=settings.max_faces)
    faces.__annotations__["wanted"] = Annotated[parameters, Query()]
    app.add_api_route(
        f"/faces.{kind}",
        faces,
        methods=["GET"],
        name=f"faces_{kind}",
        summary=f"Several faces as files in a {kind}",
        response_class=Response,
        responses={
            200: {"content": {archives.MEDIA_TYPES[kind]: {}}, "description": "The archive"},
            304: {"description": "The archive named by If-None-Match is still right"},
            **INVALID,
            **BUSY,
        },
    )
