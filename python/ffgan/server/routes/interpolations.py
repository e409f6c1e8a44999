# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from face to face, as a moving picture or as its frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Literal, TypeAlias

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import Field

from ffgan import images
from ffgan.errors import Error
from ffgan.images.animation import MAX_FPS, MP4, AnimatedWebP
from ffgan.latent import path
from ffgan.model import Model
from ffgan.model.candidate_search import Judged
from ffgan.server.http import archive_stream as archives
from ffgan.server.http.archive_stream import Archive
from ffgan.server.http.caching import SEEDED, entity_tag, not_modified
from ffgan.server.http.encoding import Picture, check_pixels
from ffgan.server.http.errors import BUSY, INVALID, Refusal, problem
from ffgan.server.http.parameters import (
    PictureParameters,
    SearchParameters,
    Seeds,
    limited,
    parse_seeds,
)
from ffgan.server.http.streaming import Stream, in_order
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings
from ffgan.typing import RGB

Moving: TypeAlias = Literal["webp", "mp4"]
MEDIA_TYPES: dict[Moving, str] = {"webp": "image/webp", "mp4": "video/mp4"}

DEFAULT_FRAMES = 50
DEFAULT_FPS = 25


class FramesParameters(SearchParameters, PictureParameters):
    """Frames at equal distances on the way between seeds."""

    seeds: Seeds
    frames: Annotated[int, Field(ge=2, description="how many, both ends included")] = DEFAULT_FRAMES


class MovingParameters(FramesParameters):
    fps: Annotated[int, Field(ge=1, le=MAX_FPS, description="frames a second")] = DEFAULT_FPS


class FilesParameters(FramesParameters):
    format: Annotated[images.Format, Field(description="of each file")] = "png"


def add_interpolations(app: FastAPI, inference: Inference, settings: Settings) -> None:
    """The endpoints that answer with an interpolation."""
    for kind in MEDIA_TYPES:
        _add_moving(app, inference, settings, kind)
    _add_files(app, inference, settings)


async def _frames(
    wanted: FramesParameters, search: Search, inference: Inference, model: Model
) -> AsyncIterator[Judged]:
    seeds = parse_seeds(wanted.seeds)
    found = await asyncio.gather(*(search.find(inference, model, seed) for seed in seeds))
    positions = np.linspace(0, len(seeds) - 1, wanted.frames)
    latents = path(np.stack([end.latent for end in found]), positions)
    rendered = in_order((inference.render(model, latent) for latent in latents), inference.batch)
    async for frame in rendered:
        yield frame


def _add_moving(app: FastAPI, inference: Inference, settings: Settings, kind: Moving) -> None:
    async def interpolation(request: Request, wanted: MovingParameters) -> Response:
        """A moving picture of the way from the first seed's face to the last's, which may be cached
        for ever. `quality` is that of WebP; an MP4 has no such choice."""
        check_pixels(wanted.frames * wanted.size**2, settings)
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = {**SEEDED, "ETag": entity_tag(model, kind, wanted, search)}
        if (known := not_modified(request, caching["ETag"], caching)) is not None:
            return known

        async def moving() -> bytes:
            picture = Picture("webp", wanted.size, wanted.quality)
            try:
                with (
                    AnimatedWebP(fps=wanted.fps, quality=wanted.quality)
                    if kind == "webp"
                    else MP4(size=(wanted.size, wanted.size), fps=wanted.fps)
                ) as file:

                    def add(image: RGB) -> None:
                        file.add(picture.resize(image))

                    async for image, _ in _frames(wanted, search, inference, model):
                        await inference.offload(add, image)
                    return await inference.offload(file.finish)
            except Error as error:
                raise Refusal(501, "unsupported", str(error)) from error

        places = min(wanted.frames, inference.batch)
        body = await inference.answer(request, moving(), places=places)
        name = f"ffgan-{wanted.seeds.replace(',', '-')}.{kind}"
        headers = {**caching, "Content-Disposition": f'inline; filename="{name}"'}
        return Response(body, media_type=MEDIA_TYPES[kind], headers=headers)

    parameters = limited(MovingParameters, settings, frames=settings.max_frames)
    interpolation.__annotations__["wanted"] = Annotated[parameters, Query()]
    app.add_api_route(
        f"/interpolation.{kind}",
        interpolation,
        methods=["GET"],
        name=f"interpolation_{kind}",
        summary=f"The way between faces as {'an animated WebP' if kind == 'webp' else 'an MP4'}",
        response_class=Response,
        responses={
            200: {"content": {MEDIA_TYPES[kind]: {}}, "description": "The moving picture"},
            304: {"description": "The one named by If-None-Match is still right"},
            **INVALID,
            **BUSY,
            501: problem("This server has no encoder for it"),
        },
    )


def _add_files(app: FastAPI, inference: Inference, settings: Settings) -> None:
    async def interpolation(request: Request, wanted: FilesParameters) -> Response:
        """The frames of the way from the first seed's face to the last's, each as a file; sent
        while it is made. It may be cached for ever."""
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = {**SEEDED, "ETag": entity_tag(model, "frames", wanted, search)}
        if (known := not_modified(request, caching["ETag"], caching)) is not None:
            return known
        picture = Picture(wanted.format, wanted.size, wanted.quality)

        async def parts() -> AsyncGenerator[bytes, None]:
            with Archive("zip") as archive:
                number = 0
                async for image, score in _frames(wanted, search, inference, model):
                    position = number * wanted.seeds.count(",") / (wanted.frames - 1)
                    origin = search.origin(model) | {
                        "seed": wanted.seeds,
                        "at": f"{position:g}",
                        "score": f"{score:.4f}",
                    }
                    data = await inference.offload(picture.encode, image, origin)
                    yield archive.add(f"frame-{number:04}.{wanted.format}", data)
                    number += 1
                yield archive.finish()

        name = f"ffgan-{wanted.seeds.replace(',', '-')}.zip"
        return Stream(
            parts(),
            inference.take(min(wanted.frames, inference.batch), long=True),
            media_type=archives.MEDIA_TYPES["zip"],
            headers={**caching, "Content-Disposition": f'attachment; filename="{name}"'},
        )

    parameters = limited(FilesParameters, settings, frames=settings.max_frames)
    interpolation.__annotations__["wanted"] = Annotated[parameters, Query()]
    app.add_api_route(
        "/interpolation.zip",
        interpolation,
        methods=["GET"],
        name="interpolation_zip",
        summary="The way between faces as files in a zip",
        response_class=Response,
        responses={
            200: {"content": {"application/zip": {}}, "description": "The frames"},
            304: {"description": "The archive named by If-None-Match is still right"},
            **INVALID,
            **BUSY,
        },
    )
