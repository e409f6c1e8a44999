# SPDX-License-Identifier: GPL-3.0-or-later
"""The discriminator's score of an uploaded image."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ffgan import images
from ffgan.dataset import fit_square
from ffgan.errors import DatasetError
from ffgan.server.http.caching import NO_STORE
from ffgan.server.http.errors import BUSY, INVALID, RequestError
from ffgan.server.http.uploads import UPLOAD_ERRORS, Uploads
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import UInt8

JPEG_SCAN = b"\xff\xda"
USUAL_SCANS = 12

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
"""What is described; other names of these types are taken as well, since the bytes decide."""


class ScoreAnswer(BaseModel):
    """The score of an image."""

    score: Annotated[float, Field(description="logit; above 0: classified as a real photograph")]
    candidate: Annotated[bool, Field(description="whether the candidate search would accept it")]
    width: Annotated[int, Field(description="of the image, in pixels")]
    height: int


def add_scores(app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads) -> None:
    threshold = settings.threshold

    @app.post(
        "/score",
        summary="The discriminator's score of an image",
        response_model=ScoreAnswer,
        responses={**INVALID, **UPLOAD_ERRORS, **BUSY},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES
                },
            }
        },
    )
    async def score(request: Request) -> Response:
        """The score of a JPEG, PNG or WebP file in the request's body: of its central square,
        resized to 162 pixels as in training. The bytes tell its type, whatever `image/...` the
        Content-Type says."""
        async with uploads.body(request, ("image/*",)) as (_, data):
            model = inference.loaded()

            async def scored() -> ScoreAnswer:
                image, (height, width) = await inference.offload(_read, data, settings)
                value = await inference.score(model, image)
                least = model.threshold if threshold is None else threshold
                return ScoreAnswer(
                    score=round(value, 4), candidate=value > least, width=width, height=height
                )

            answer = await inference.run(request, scored())
        return JSONResponse(answer.model_dump(), headers=NO_STORE)


def _read(data: bytes, settings: Settings) -> tuple[UInt8, tuple[int, int]]:
    """The image as the discriminator takes it, and the height and width of the original."""
    try:
        file = images.container(data)
        if file.kind not in ("JPEG", "PNG", "WebP"):
            raise RequestError(415, "unsupported_media_type", "the image is not JPEG, PNG or WebP")
        # The size in the header is checked before memory is allocated for it.
        width, height = file.size
        if width * height > settings.max_pixels:
            raise _too_many(f"{width}x{height} pixels exceed the limit of {settings.max_pixels}")
        # Each scan of a progressive JPEG takes the time of a whole image, even an empty one.
        scans = data.count(JPEG_SCAN) if file.kind == "JPEG" else 1
        if width * height * scans > settings.max_pixels * USUAL_SCANS:
            raise _too_many(f"{scans} scans of {width}x{height} pixels take too long to decode")
        image = images.decode(file, at_least=IMAGE_SIZE)
    except DatasetError as error:
        raise RequestError(422, "invalid_image", str(error)) from None
    return fit_square(image, IMAGE_SIZE, "crop"), (height, width)


def _too_many(message: str) -> RequestError:
    return RequestError(413, "too_many_pixels", message)
