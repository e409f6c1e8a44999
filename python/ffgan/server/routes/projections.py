# SPDX-License-Identifier: GPL-3.0-or-later
"""The projection of an uploaded photograph: its latent and face. Nothing of it is kept."""

from __future__ import annotations

import asyncio
import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ffgan import images
from ffgan.model import Model
from ffgan.projection import Projection, project
from ffgan.server.http import image_uploads
from ffgan.server.http.caching import not_stored
from ffgan.server.http.errors import BUSY, INVALID, RequestError, Unavailable, error_response
from ffgan.server.http.parameters import LimitedQuery
from ffgan.server.http.uploads import UPLOAD_ERRORS, Uploads
from ffgan.server.inference.face_uploads import WhichFace, uploaded_face
from ffgan.server.inference.service import Inference
from ffgan.server.routes.latents import Latents
from ffgan.server.settings import Settings
from ffgan.typing import UInt8

OFF = "projection is off: whoever runs this server can start it with --allow-projection"


class DistancesAnswer(BaseModel):
    """How far the face is from the photograph's; null where the server lacks a network."""

    pyramid: Annotated[float, Field(description="of the pixels, in five octaves of detail")]
    perceptual: Annotated[float | None, Field(description="of EfficientNet-Lite1's features")]
    identity: Annotated[
        float | None, Field(description="of the embeddings; below 0.6 they pass for one person")
    ]


class ProjectionAnswer(Latents):
    """The face nearest to a photograph's; `POST /latents` takes this as it is."""

    model: Annotated[str, Field(description="the hash of the model whose latent it is")]
    image: Annotated[str, Field(description="the face, as `data:image/png;base64,...`")]
    distances: DistancesAnswer
    steps: int
    seconds: float


def add_projections(
    app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads
) -> None:
    if settings.allow_projection:
        _add_projection(app, inference, settings, uploads)
        return

    @app.post("/project", include_in_schema=False)
    async def refuse() -> Response:
        raise RequestError(403, "projection_off", OFF)


def _add_projection(
    app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads
) -> None:
    query = Depends(LimitedQuery(WhichFace, settings))
    one = _OneAtATime(settings.projection_seconds)

    @app.post(
        "/project",
        summary="The face nearest to a photograph's",
        response_model=ProjectionAnswer,
        responses={
            **INVALID,
            **UPLOAD_ERRORS,
            **BUSY,
            501: error_response("The server lacks what finds faces"),
        },
        openapi_extra=image_uploads.BODY,
    )
    async def projection(request: Request, wanted: WhichFace = query) -> Response:
        """The latent and the face nearest to the largest face of a photograph, the request's body,
        as for `/score`. An image of 162x162 is taken for a face as it is. One is worked on at a
        time. Nothing of it is kept."""
        model = inference.loaded()
        face = await uploaded_face(request, inference, uploads, settings, wanted.face)
        found = await inference.watch(request, one.project(face, model))
        return JSONResponse(_answer(found, model).model_dump(), headers=not_stored(model))


class _OneAtATime:
    """The search, on a thread of its own; it uses all cores, so a second one is refused."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ffgan-projection")

    async def project(self, face: UInt8, model: Model) -> Projection:
        """What was found; the search ends when this is cancelled. Raises Unavailable."""
        if not self._free.acquire(blocking=False):
            raise Unavailable("busy", "another photograph is being projected; try again later")
        stopped = threading.Event()

        def work() -> Projection:
            try:
                return project(face, model=model, seconds=self._seconds, stop=stopped.is_set)
            finally:
                self._free.release()

        try:
            return await asyncio.wrap_future(self._pool.submit(work))
        finally:
            stopped.set()


def _answer(found: Projection, model: Model) -> ProjectionAnswer:
    picture = base64.b64encode(images.encode(found.image, "png")).decode()
    return ProjectionAnswer(
        latents=[found.latent.tolist()],
        model=model.hash,
        image=f"data:image/png;base64,{picture}",
        distances=DistancesAnswer(**vars(found.distances)),
        steps=found.steps,
        seconds=round(found.seconds, 2),
    )
