# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents out, and the images of latents that come in."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from ffgan.server.http.archive_stream import Archive
from ffgan.server.http.caching import RANDOM, SEEDED, entity_tag, not_modified
from ffgan.server.http.encoding import MEDIA_TYPES, Picture, check_pixels
from ffgan.server.http.errors import BUSY, INVALID, Refusal
from ffgan.server.http.parameters import PictureParameters, SeveralParameters, limited
from ffgan.server.http.streaming import Stream, in_order
from ffgan.server.http.uploads import UPLOAD_PROBLEMS, Uploads
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import RGB, Float32

NPY = "application/x-npy"
ZIP = "application/zip"

# Noise beyond 6 is unheard of; far beyond, the sums within the network would overflow.
MAX_VALUE = 100.0

Value = Annotated[float, Field(ge=-MAX_VALUE, le=MAX_VALUE, allow_inf_nan=False)]
Latent = Annotated[list[Value], Field(min_length=LATENT_SIZE, max_length=LATENT_SIZE)]


class Latents(BaseModel):
    """Vectors of the latent space."""

    latents: Annotated[list[Latent], Field(min_length=1, description="each 100 numbers")]


class LatentsAnswer(Latents):
    seeds: Annotated[list[int], Field(description="the seed of each")]


class LatentsParameters(SeveralParameters):
    format: Annotated[
        Literal["json", "npy"], Field(description="npy: a NumPy file, float32 (count, 100)")
    ] = "json"


class ImagesParameters(PictureParameters):
    format: Annotated[
        Literal["png", "jpg", "webp", "npy"],
        Field(description="npy: a NumPy file, uint8 (n, size, size, 3)"),
    ] = "png"


def add_latents(app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads) -> None:
    _add_out(app, inference, settings)
    _add_in(app, inference, settings, uploads)


def _add_out(app: FastAPI, inference: Inference, settings: Settings) -> None:
    async def latents(request: Request, wanted: LatentsParameters) -> Response:
        """The latents of the faces of `seed`, `seed` + 1, ...: those that the candidate search
        takes; with `tries=1` plain noise. With `seed` the answer may be cached for ever."""
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = RANDOM
        if wanted.seed is not None:
            caching = {**SEEDED, "ETag": entity_tag(model, "latents", wanted, search)}
            if (known := not_modified(request, caching["ETag"], caching)) is not None:
                return known
        first = wanted.first
        seeds = [first + i for i in range(wanted.count)]

        async def found() -> Float32:
            searches = (search.find(inference, model, seed) for seed in seeds)
            return np.stack([one.latent async for one in in_order(searches, inference.batch)])

        places = min(wanted.count, inference.batch)
        array = await inference.answer(request, found(), places=places)
        if wanted.format == "npy":
            return Response(_npy(array), media_type=NPY, headers=caching)
        return JSONResponse({"seeds": seeds, "latents": array.tolist()}, headers=caching)

    parameters = limited(LatentsParameters, settings, count=settings.max_latents)
    latents.__annotations__["wanted"] = Annotated[parameters, Query()]
    app.add_api_route(
        "/latents",
        latents,
        methods=["GET"],
        summary="The latents of faces",
        response_model=LatentsAnswer,
        responses={
            200: {"content": {NPY: {}}, "description": "The latents"},
            304: {"description": "The latents named by If-None-Match are still right"},
            **INVALID,
            **BUSY,
        },
    )


def _add_in(app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads) -> None:
    async def images_of_latents(request: Request, wanted: ImagesParameters) -> Response:
        """The images of latents: JSON as `GET /latents` answers, or a NumPy file of float32 or
        float64 (n, 100). A single latent gives the picture and `X-FFGAN-Score`, several a zip of
        pictures that say their score inside, `format=npy` an array of all."""
        async with uploads.body(request, ("application/json", NPY)) as (kind, data):
            model = inference.loaded()
            read = _from_npy if kind == NPY else _from_json
            latents = await inference.offload(read, data, settings.max_latents)
        count = len(latents)
        check_pixels(count * wanted.size**2, settings)
        format = wanted.format
        picture = Picture("png" if format == "npy" else format, wanted.size, wanted.quality)
        rendered = in_order(
            (inference.render(model, latent) for latent in latents), inference.batch
        )
        places = min(count, inference.batch)

        async def file(image: RGB, score: float) -> bytes:
            origin = {"software": "ffgan", "model": model.hash, "score": f"{score:.4f}"}
            return await inference.offload(picture.encode, image, origin)

        async def single() -> tuple[float, bytes]:
            ((image, score),) = [judged async for judged in rendered]
            return score, await file(image, score)

        async def array() -> bytes:
            every = [picture.resize(image) async for image, _ in rendered]
            return _npy(np.stack(every))

        async def parts() -> AsyncGenerator[bytes, None]:
            with Archive("zip") as archive:
                number = 0
                async for image, score in rendered:
                    yield archive.add(f"face-{number:04}.{format}", await file(image, score))
                    number += 1
                yield archive.finish()

        if format == "npy":
            body = await inference.answer(request, array(), places=places)
            return Response(body, media_type=NPY, headers=RANDOM)
        if count > 1:
            place = inference.take(places, long=True)
            return Stream(parts(), place, media_type=ZIP, headers=RANDOM)
        score, body = await inference.answer(request, single())
        headers = {**RANDOM, "X-FFGAN-Score": f"{score:.4f}"}
        return Response(body, media_type=MEDIA_TYPES[format], headers=headers)

    parameters = limited(ImagesParameters, settings)
    images_of_latents.__annotations__["wanted"] = Annotated[parameters, Query()]
    answers: dict[str, Any] = {media_type: {} for media_type in (*MEDIA_TYPES.values(), ZIP, NPY)}
    schema = Latents.model_json_schema()
    schema["properties"]["latents"]["maxItems"] = settings.max_latents
    app.add_api_route(
        "/latents",
        images_of_latents,
        methods=["POST"],
        summary="The images of latents",
        response_class=Response,
        responses={
            200: {"content": answers, "description": "The images"},
            **INVALID,
            **UPLOAD_PROBLEMS,
            **BUSY,
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": schema},
                    NPY: {"schema": {"type": "string", "format": "binary"}},
                },
            }
        },
    )


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _invalid(message: str) -> Refusal:
    return Refusal(422, "invalid_latents", message, parameter="latents")


def _from_json(data: bytes, most: int) -> Float32:
    try:
        latents = Latents.model_validate_json(data).latents
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise _invalid(f"{place}: {first['msg']}") from None
    return _checked(np.array(latents, np.float32), most)


def _from_npy(data: bytes, most: int) -> Float32:
    """The header is believed only where it describes just as many bytes as there are."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = read(file)
    except Exception as error:  # NumPy reads it by Python's parser, which fails in many ways
        raise _invalid(f"not a NumPy file: {str(error)[:80]}") from None
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        raise _invalid(f"the array is {dtype}, not float32 or float64")
    if len(shape) != 2 or shape[1] != LATENT_SIZE or shape[0] < 1:
        raise _invalid(f"the array has the shape {shape}, not (n, {LATENT_SIZE})")
    values = np.frombuffer(data, np.uint8, offset=file.tell())
    if values.size != shape[0] * shape[1] * dtype.itemsize:
        raise _invalid("the file is cut off or has more bytes than its header says")
    array = values.view(dtype).reshape(shape, order="F" if by_columns else "C")
    return _checked(array, most)


def _checked(array: NDArray[Any], most: int) -> Float32:
    if len(array) > most:
        raise Refusal(422, "too_many_latents", f"{len(array)} latents are more than {most} at once")
    if not (np.abs(array) <= MAX_VALUE).all():
        raise _invalid(f"a number is outside -{MAX_VALUE:g} to {MAX_VALUE:g}")
    return np.ascontiguousarray(array, np.float32)
