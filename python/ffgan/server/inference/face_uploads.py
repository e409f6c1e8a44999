# SPDX-License-Identifier: GPL-3.0-or-later
"""The face in an uploaded photograph, cut out as those of the training images are."""

from __future__ import annotations

import functools
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from ffgan import images
from ffgan.errors import DatasetError, ExtraError, UsageError
from ffgan.projection.photograph import cut_out
from ffgan.server.http import image_uploads
from ffgan.server.http.errors import RequestError
from ffgan.server.http.shares import client_of
from ffgan.server.http.uploads import Uploads
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings
from ffgan.typing import UInt8

SIDE = 1000
"""Pixels of the shorter side that a large photograph is decoded to, at least: twice as many."""

SEARCHING = 8
"""Bytes for each decoded pixel while faces are searched and cut out: see ffgan.extraction."""


class WhichFace(BaseModel):
    """Which face of a photograph."""

    model_config = ConfigDict(extra="forbid")

    face: Annotated[
        int | None, Field(ge=1, le=1000, description="counted from the largest, the default")
    ] = None


async def uploaded_face(
    request: Request,
    inference: Inference,
    uploads: Uploads,
    settings: Settings,
    number: int | None,
) -> UInt8:
    """The face of the photograph in a request's body: (162, 162, 3) uint8 RGB.

    ``number`` counts from the largest, which is meant by None. Raises RequestError.
    """
    async with uploads.body(request, ("image/*",)) as (_, data):
        inference.loaded()
        file, (height, width) = image_uploads.checked(data, settings, SIDE)
        need = _need(file)
        if need > inference.budget.total:
            raise image_uploads.too_many(
                f"{width}x{height} pixels of {file.kind} take {need >> 20} MB, more than the"
                f" limit of {settings.memory} MB; send a smaller image, or a JPEG"
            )
        read = functools.partial(_face, file, number)
        reading = inference.in_budget(client_of(request), need, read)
        return await inference.watch(request, reading)


def _need(file: images.Container) -> int:
    """Bytes that decoding a photograph and searching it for faces take, at most."""
    width, height = file.size
    return image_uploads.need(file, SIDE) + SEARCHING * width * height // (
        image_uploads.reduction(file, SIDE) ** 2
    )


def _face(file: images.Container, number: int | None) -> UInt8:
    """The photograph's face, cut out."""
    try:
        return cut_out(images.decode(file, at_least=SIDE), number)
    except DatasetError as error:
        raise RequestError(422, "invalid_image", str(error)) from None
    except UsageError as error:
        raise RequestError(422, "no_face", str(error)) from None
    except ExtraError:
        message = "this server cannot find faces: send one of 162x162 pixels that is cut out"
        raise RequestError(501, "missing_extra", message) from None
