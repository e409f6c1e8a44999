# SPDX-License-Identifier: GPL-3.0-or-later
"""The discriminator's score of an uploaded image."""

from __future__ import annotations

import functools
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ffgan import images
from ffgan.dataset import fit_square
from ffgan.errors import DatasetError
from ffgan.server.http import image_uploads
from ffgan.server.http.caching import NO_STORE
from ffgan.server.http.errors import BUSY, INVALID, RequestError
from ffgan.server.http.shares import client_of
from ffgan.server.http.uploads import UPLOAD_ERRORS, Uploads
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import UInt8


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
        openapi_extra=image_uploads.BODY,
    )
    async def score(request: Request) -> Response:
        """The score of a JPEG, PNG, WebP, AVIF or HEIC file in the request's body: of its central
        square, resized to 162 pixels as in training. The bytes tell its type, whatever `image/...`
        the Content-Type says."""
        async with uploads.body(request, ("image/*",)) as (_, data):
            model = inference.loaded()
            file, (height, width) = image_uploads.checked(data, settings, IMAGE_SIZE)
            need = image_uploads.need(file, IMAGE_SIZE)
            if need > inference.budget.total:
                raise image_uploads.too_many(
                    f"{width}x{height} pixels of {file.kind} take {need >> 20} MB, more than the"
                    f" limit of {settings.memory} MB; send a smaller image, or a JPEG"
                )
            read = functools.partial(_read, file)
            decoding = inference.in_budget(client_of(request), need, read)
            image = await inference.watch(request, decoding)
        value = await inference.run(request, inference.score(client_of(request), model, image))
        least = model.threshold if threshold is None else threshold
        answer = ScoreAnswer(
            score=round(value, 4), candidate=value > least, width=width, height=height
        )
        return JSONResponse(answer.model_dump(), headers=NO_STORE)


def _read(file: images.Container) -> UInt8:
    """The image as the discriminator takes it."""
    try:
        image = images.decode(file, at_least=IMAGE_SIZE)
    except DatasetError as error:
        raise RequestError(422, "invalid_image", str(error)) from None
    return fit_square(image, IMAGE_SIZE, "crop")
