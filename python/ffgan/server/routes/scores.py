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
from ffgan.images.containers import Jpeg
from ffgan.images.containers.isobmff import Isobmff
from ffgan.server.http.caching import NO_STORE
from ffgan.server.http.errors import BUSY, INVALID, RequestError
from ffgan.server.http.shares import client_of
from ffgan.server.http.uploads import UPLOAD_ERRORS, Uploads
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import UInt8

JPEG_SCAN = b"\xff\xda"
USUAL_SCANS = 12

BYTES_PER_PIXEL = {"JPEG": 9, "PNG": 4, "WebP": 9, "HEIC": 25, "AVIF": 41}
"""Memory that decoding takes at most, by kind of file, measured with 16 bits and transparency where
the kind has them. A sequential JPEG takes less."""

OPAQUE_BYTES_PER_PIXEL = {"HEIC": 18, "AVIF": 23}
"""The same without transparency. More than 8 bits are always counted: a file may lie about them."""

REDUCED = 2
"""So many times the limit of pixels may a JPEG have that is decoded at a fraction of its size."""

SEQUENTIAL_BYTES_PER_PIXEL = 5
CONVERTED_BYTES_PER_PIXEL = 4
STRIP, STRIP_BYTES = 12 << 20, 60  # of the part of an image whose colours are being converted
SAY_COLOURS = {
    "PNG": (b"cICP", b"iCCP", b"gAMA", b"cHRM"),
    "WebP": (b"ICCP",),
    "HEIC": (b"colr",),
    "AVIF": (b"colr",),
}
BYTES = 1 << 20  # besides

MEDIA_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/heic", "image/avif"),
    "application/octet-stream",
)
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
        """The score of a JPEG, PNG, WebP, AVIF or HEIC file in the request's body: of its central
        square, resized to 162 pixels as in training. The bytes tell its type, whatever `image/...`
        the Content-Type says."""
        async with uploads.body(request, ("image/*",)) as (_, data):
            model = inference.loaded()
            file, (height, width) = _checked(data, settings)
            need = _need(file)
            if need > inference.budget.total:
                raise _too_many(
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


def _checked(data: bytes, settings: Settings) -> tuple[images.Container, tuple[int, int]]:
    """The file, and its height and width, by its header alone."""
    try:
        file = images.container(data)
        if file.kind not in BYTES_PER_PIXEL or images.missing_extra(file.kind):
            *kinds, last = (kind for kind in BYTES_PER_PIXEL if not images.missing_extra(kind))
            known = f"send {', '.join(kinds)} or {last}"
            if file.kind in BYTES_PER_PIXEL:
                message = f"this server has nothing that reads {file.kind}: {known}"
            else:
                message = f"the file is a {file.kind}: {known}"
            raise RequestError(415, "unsupported_media_type", message)
        width, height = file.size
        reduced = isinstance(file, Jpeg) and file.sequential and _factor(file) > 1
    except DatasetError as error:
        raise RequestError(422, "invalid_image", str(error)) from None
    most = settings.max_pixels * (REDUCED if reduced else 1)
    if width * height > most:
        raise _too_many(f"{width}x{height} pixels exceed the limit of {most}")
    # Each scan of a progressive JPEG takes the time of a whole image, even an empty one.
    scans = data.count(JPEG_SCAN) if file.kind == "JPEG" else 1
    if width * height * scans > settings.max_pixels * USUAL_SCANS:
        raise _too_many(f"{scans} scans of {width}x{height} pixels take too long to decode")
    return file, (height, width)


def _need(file: images.Container) -> int:
    """Bytes that decoding takes, at most."""
    width, height = file.size
    pixels = width * height
    if not isinstance(file, Jpeg):
        # Reading what the colours are takes longer than to see that a file does not say it.
        says = any(word in file.data for word in SAY_COLOURS[file.kind])
        strip = min(STRIP, STRIP_BYTES * pixels) if says else 0
        each = BYTES_PER_PIXEL[file.kind]
        if isinstance(file, Isobmff) and not file.transparent:
            each = OPAQUE_BYTES_PER_PIXEL[file.kind]
        return BYTES + each * pixels + strip
    # Converting colours takes a second image, and the inks, which come to RGB in any case.
    converted = file.colour_space is not None or file.components == 4
    more = CONVERTED_BYTES_PER_PIXEL if converted else 0
    if file.sequential:
        # Decoded at a fraction of its size, row by row.
        return BYTES + (SEQUENTIAL_BYTES_PER_PIXEL + more) * pixels // _factor(file) ** 2
    return BYTES + (BYTES_PER_PIXEL[file.kind] + more) * pixels


def _factor(file: Jpeg) -> int:
    """Of what part of its width and height a JPEG is decoded."""
    return next((f for f in (8, 4, 2) if min(file.size) >= 2 * IMAGE_SIZE * f), 1)


def _read(file: images.Container) -> UInt8:
    """The image as the discriminator takes it."""
    try:
        image = images.decode(file, at_least=IMAGE_SIZE)
    except DatasetError as error:
        raise RequestError(422, "invalid_image", str(error)) from None
    return fit_square(image, IMAGE_SIZE, "crop")


def _too_many(message: str) -> RequestError:
    return RequestError(413, "too_many_pixels", message)
