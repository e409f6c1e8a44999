# SPDX-License-Identifier: GPL-3.0-or-later
"""Several faces, each as a file in an archive."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import Field

from ffgan import images
from ffgan.server.http import archive_stream
from ffgan.server.http.archive_stream import ArchiveStream
from ffgan.server.http.caching import immutable, not_stored
from ffgan.server.http.encoding import Picture
from ffgan.server.http.parameters import LimitedQuery, PictureParameters, SeedRangeParameters
from ffgan.server.http.shares import client_of
from ffgan.server.http.streaming import StreamedResponse, in_order
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings


class ArchiveParameters(SeedRangeParameters, PictureParameters):
    format: Annotated[images.Format, Field(description="of each file")] = "png"


def add_archives(app: FastAPI, inference: Inference, settings: Settings) -> None:
    """The endpoints /faces.zip and /faces.tar."""
    for kind in archive_stream.MEDIA_TYPES:
        _add_archive(app, inference, settings, kind)


def _add_archive(
    app: FastAPI, inference: Inference, settings: Settings, kind: archive_stream.Kind
) -> None:
    query = Depends(LimitedQuery(ArchiveParameters, settings, count=settings.max_faces))

    async def faces(request: Request, wanted: ArchiveParameters = query) -> Response:
        """Several faces, each as a file `face-SEED` whose metadata record how it was made; the
        archive is streamed. With `seed` the response may be cached without limit."""
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = not_stored(model)
        if wanted.seed is not None:
            caching = immutable(request, model, kind, wanted, search)
        first, client = wanted.first, client_of(request)
        picture = Picture(wanted.format, wanted.size, wanted.quality)

        async def file(seed: int) -> tuple[str, bytes]:
            face = await inference.face(client, model, seed, search)
            metadata = search.metadata(model, face)
            data = await inference.encode(client, picture, face.image, metadata, patient=True)
            return f"face-{seed}.{wanted.format}", data

        async def parts() -> AsyncGenerator[bytes, None]:
            with ArchiveStream(kind) as archive:
                files = (file(first + i) for i in range(wanted.count))
                async for name, data in in_order(files, inference.batch):
                    yield archive.add(name, data)
                yield archive.finish()

        name = f"ffgan-{first}-{wanted.count}.{kind}"
        return StreamedResponse(
            parts(),
            inference.reserve(client, min(wanted.count, inference.batch), long=True),
            media_type=archive_stream.MEDIA_TYPES[kind],
            headers={
                **caching,
                "X-FFGAN-Seed": str(first),
                "Content-Disposition": f'attachment; filename="{name}"',
            },
        )

    add_file_route(
        app,
        f"/faces.{kind}",
        faces,
        summary=f"Several faces as files in a {kind}",
        media_types=[archive_stream.MEDIA_TYPES[kind]],
        description="The archive",
    )
