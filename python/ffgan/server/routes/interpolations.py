# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolations between faces, as an animation or as its frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Literal, TypeAlias

import numpy as np
from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from pydantic import Field

from ffgan import images
from ffgan.errors import Error
from ffgan.images import mp4
from ffgan.images.animation import MAX_FPS, MP4, AnimatedWebP, NotWrittenError
from ffgan.latent import path
from ffgan.model import Model
from ffgan.model.candidate_search import Judged
from ffgan.server.http import archive_stream
from ffgan.server.http.archive_stream import ArchiveStream
from ffgan.server.http.body_cache import BodyCache
from ffgan.server.http.caching import immutable
from ffgan.server.http.encoding import Picture, check_pixels
from ffgan.server.http.errors import RequestError, Unavailable, error_response
from ffgan.server.http.parameters import (
    LimitedQuery,
    PictureParameters,
    SearchParameters,
    Seeds,
    parse_seeds,
)
from ffgan.server.http.shares import BodyResponse, Shares, client_of
from ffgan.server.http.streaming import StreamedResponse, in_order
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings
from ffgan.typing import RGB

Animation: TypeAlias = Literal["webp", "mp4"]
MEDIA_TYPES: dict[Animation, str] = {"webp": "image/webp", "mp4": "video/mp4"}

# The encoder of VP9 holds some 25 frames, that of WebP one; besides, what is encoded.
BYTES_PER_PIXEL: dict[Animation, int] = {"webp": 16, "mp4": 170}
BYTES_PER_PIXEL_AND_FRAME = 2

DEFAULT_FRAMES = 50
DEFAULT_FPS = 25


class FramesParameters(SearchParameters, PictureParameters):
    """Equally spaced frames between seeds."""

    seeds: Seeds
    frames: Annotated[int, Field(ge=2, description="number of frames, both ends included")] = (
        DEFAULT_FRAMES
    )


class MovingParameters(FramesParameters):
    fps: Annotated[int, Field(ge=1, le=MAX_FPS, description="frames a second")] = DEFAULT_FPS


class FilesParameters(FramesParameters):
    format: Annotated[images.Format, Field(description="of each file")] = "png"


def add_interpolations(
    app: FastAPI, inference: Inference, settings: Settings, bodies: Shares
) -> None:
    """The endpoints that respond with an interpolation."""
    cache = BodyCache()
    for kind in MEDIA_TYPES:
        _add_animation(app, inference, settings, bodies, kind, cache)
    _add_files(app, inference, settings)


async def _frames(
    client: str, wanted: FramesParameters, search: Search, inference: Inference, model: Model
) -> AsyncIterator[Judged]:
    seeds = parse_seeds(wanted.seeds)
    ends = await asyncio.gather(*(inference.latent(client, model, seed, search) for seed in seeds))
    positions = np.linspace(0, len(seeds) - 1, wanted.frames)
    latents = path(np.stack([end.latent for end in ends]), positions)
    rendered = in_order(
        (inference.render(client, model, latent) for latent in latents), inference.batch
    )
    async for frame in rendered:
        yield frame


def _add_animation(
    app: FastAPI,
    inference: Inference,
    settings: Settings,
    bodies: Shares,
    kind: Animation,
    cache: BodyCache,
) -> None:
    query = Depends(LimitedQuery(MovingParameters, settings, frames=settings.max_frames))

    async def interpolation(request: Request, wanted: MovingParameters = query) -> Response:
        """An animation from the first seed's face to the last one's, by spherical interpolation of
        the latents; it may be cached without limit. `quality` is that of WebP; MP4 ignores it."""
        check_pixels(wanted.frames * wanted.size**2, settings)
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        client = client_of(request)
        caching = immutable(request, model, kind, wanted, search)

        async def animation() -> bytes:
            picture = Picture("webp", wanted.size, wanted.quality)
            try:
                with (
                    AnimatedWebP(fps=wanted.fps, quality=wanted.quality)
                    if kind == "webp"
                    else MP4(size=(wanted.size, wanted.size), fps=wanted.fps)
                ) as file:

                    def add(image: RGB) -> None:
                        file.add(picture.resize(image))

                    async for image, _ in _frames(client, wanted, search, inference, model):
                        await inference.offload_long(add, image)
                    return await inference.offload_long(file.finish)
            except NotWrittenError as error:
                raise Unavailable("not_written", str(error)) from error
            except Error as error:
                raise RequestError(501, "unsupported", str(error)) from error

        # Players ask for one part after another.
        body = cache.get(caching["ETag"])
        if body is None:
            each = BYTES_PER_PIXEL[kind] + BYTES_PER_PIXEL_AND_FRAME * wanted.frames
            places = min(wanted.frames, inference.batch)

            async def in_budget() -> bytes:
                # The place in the queue comes second: who waits for memory must not hold one.
                async with inference.room(client, each * wanted.size**2):
                    with inference.reserve(client, places, long=True):
                        return await animation()

            body = await inference.watch(request, in_budget())
            cache.add(caching["ETag"], body)
        name = f"ffgan-{wanted.seeds.replace(',', '-')}.{kind}"
        headers = {**caching, "Content-Disposition": f'inline; filename="{name}"'}
        media_type = MEDIA_TYPES[kind]
        if kind == "mp4":
            media_type += f'; codecs="{mp4.codec(body)}"'
        return BodyResponse(body, bodies, media_type=media_type, headers=headers)

    add_file_route(
        app,
        f"/interpolation.{kind}",
        interpolation,
        summary=f"An interpolation as {'an animated WebP' if kind == 'webp' else 'an MP4'}",
        media_types=[MEDIA_TYPES[kind]],
        description="The animation",
        errors={501: error_response("This server has no encoder for the format")},
    )


def _add_files(app: FastAPI, inference: Inference, settings: Settings) -> None:
    query = Depends(LimitedQuery(FilesParameters, settings, frames=settings.max_frames))

    async def interpolation(request: Request, wanted: FilesParameters = query) -> Response:
        """The frames from the first seed's face to the last one's, each as a file; the archive is
        streamed. It may be cached without limit."""
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = immutable(request, model, "frames", wanted, search)
        picture = Picture(wanted.format, wanted.size, wanted.quality)
        client = client_of(request)

        async def parts() -> AsyncGenerator[bytes, None]:
            with ArchiveStream("zip") as archive:
                number = 0
                async for image, score in _frames(client, wanted, search, inference, model):
                    position = number * wanted.seeds.count(",") / (wanted.frames - 1)
                    metadata = search.metadata(model) | {
                        "seed": wanted.seeds,
                        "at": f"{position:g}",
                        "score": f"{score:.4f}",
                    }
                    data = await inference.encode(client, picture, image, metadata, patient=True)
                    yield archive.add(f"frame-{number:04}.{wanted.format}", data)
                    number += 1
                yield archive.finish()

        name = f"ffgan-{wanted.seeds.replace(',', '-')}.zip"
        return StreamedResponse(
            parts(),
            inference.reserve(client, min(wanted.frames, inference.batch), long=True),
            media_type=archive_stream.MEDIA_TYPES["zip"],
            headers={**caching, "Content-Disposition": f'attachment; filename="{name}"'},
        )

    add_file_route(
        app,
        "/interpolation.zip",
        interpolation,
        summary="The frames of an interpolation as files in a zip",
        media_types=[archive_stream.MEDIA_TYPES["zip"]],
        description="The frames",
    )
