# SPDX-License-Identifier: GPL-3.0-or-later
"""The latents of faces, and the images of latents."""

from __future__ import annotations

import codecs
import io
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from ffgan.model.candidate_search import Judged
from ffgan.projection.latent_file import MAX_VALUE
from ffgan.server.http.archive_stream import ArchiveStream
from ffgan.server.http.caching import immutable, not_stored
from ffgan.server.http.encoding import MEDIA_TYPES, Picture, check_pixels
from ffgan.server.http.errors import RequestError
from ffgan.server.http.parameters import LimitedQuery, PictureParameters, SeedRangeParameters
from ffgan.server.http.shares import BodyResponse, Shares, client_of
from ffgan.server.http.streaming import StreamedResponse, in_order
from ffgan.server.http.uploads import UPLOAD_ERRORS, Uploads
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings
from ffgan.shapes import LATENT_SIZE
from ffgan.typing import RGB, Float32

NPY = "application/x-npy"
ZIP = "application/zip"

NPY_BYTES_PER_PIXEL = 6  # the array, and the file

Value = Annotated[float, Field(ge=-MAX_VALUE, le=MAX_VALUE, allow_inf_nan=False)]
Latent = Annotated[list[Value], Field(min_length=LATENT_SIZE, max_length=LATENT_SIZE)]


class Latents(BaseModel):
    """Vectors of the latent space."""

    latents: Annotated[list[Latent], Field(min_length=1, description="each 100 numbers")]


class LatentsAnswer(Latents):
    seeds: Annotated[list[int], Field(description="the seed of each")]


class LatentsParameters(SeedRangeParameters):
    format: Annotated[
        Literal["json", "npy"], Field(description="npy: a NumPy file, float32 (count, 100)")
    ] = "json"


class ImagesParameters(PictureParameters):
    format: Annotated[
        Literal["png", "jpg", "webp", "npy"],
        Field(description="npy: a NumPy file, uint8 (n, size, size, 3)"),
    ] = "png"


def add_latents(
    app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads, bodies: Shares
) -> None:
    _add_latents_of_seeds(app, inference, settings)
    _add_images_of_latents(app, inference, settings, uploads, bodies)


def _add_latents_of_seeds(app: FastAPI, inference: Inference, settings: Settings) -> None:
    query = Depends(LimitedQuery(LatentsParameters, settings, count=settings.max_latents))

    async def latents(request: Request, wanted: LatentsParameters = query) -> Response:
        """The latents of the faces of `seed`, `seed` + 1, ..., as the candidate search finds them;
        with `tries=1` plain noise. With `seed` the response may be cached without limit."""
        model = inference.loaded()
        search = Search.of(wanted, model, settings)
        caching = not_stored(model)
        if wanted.seed is not None:
            caching = immutable(request, model, "latents", wanted, search)
        first, client = wanted.first, client_of(request)
        seeds = [first + i for i in range(wanted.count)]

        async def found() -> Float32:
            searches = (inference.latent(client, model, seed, search) for seed in seeds)
            results = in_order(searches, inference.batch)
            return np.stack([result.latent async for result in results])

        places = min(wanted.count, inference.batch)
        array = await inference.run(request, found(), places=places, long=True)
        if wanted.format == "npy":
            return Response(_npy(array), media_type=NPY, headers=caching)
        return JSONResponse({"seeds": seeds, "latents": array.tolist()}, headers=caching)

    add_file_route(
        app,
        "/latents",
        latents,
        summary="The latents of faces",
        media_types=[NPY],
        description="The latents",
        response_model=LatentsAnswer,
        response_class=JSONResponse,
    )


def _add_images_of_latents(
    app: FastAPI, inference: Inference, settings: Settings, uploads: Uploads, bodies: Shares
) -> None:
    query = Depends(LimitedQuery(ImagesParameters, settings))

    async def images_of_latents(request: Request, wanted: ImagesParameters = query) -> Response:
        """The images of latents: JSON as `GET /latents` returns it, or a NumPy file of float32 or
        float64 (n, 100). A single latent gives an image and `X-FFGAN-Score`, several give a zip of
        images with the scores in their metadata, `format=npy` gives one array."""
        async with uploads.body(request, ("application/json", NPY)) as (kind, data):
            model = inference.loaded()
            is_npy = kind == NPY or (not kind and data.startswith(npy.MAGIC_PREFIX))
            read = _from_npy if is_npy else _from_json
            latents = await inference.offload(read, data, settings.max_latents)
        count = len(latents)
        check_pixels(count * wanted.size**2, settings)
        format = wanted.format
        picture = Picture("png" if format == "npy" else format, wanted.size, wanted.quality)
        client = client_of(request)
        rendered = in_order(
            (inference.render(client, model, latent) for latent in latents), inference.batch
        )
        places = min(count, inference.batch)

        async def file(image: RGB, score: float) -> bytes:
            metadata = {"software": "ffgan", **model.origin, "score": f"{score:.4f}"}
            patient = count > 1  # then it is a part of an archive that is being sent
            return await inference.encode(client, picture, image, metadata, patient=patient)

        async def single() -> Judged:
            (judged,) = [judged async for judged in rendered]
            return judged

        async def array() -> bytes:
            async with inference.room(client, NPY_BYTES_PER_PIXEL * count * wanted.size**2):
                with inference.reserve(client, places, long=True):
                    images = np.empty((count, wanted.size, wanted.size, 3), np.uint8)
                    number = 0
                    async for image, _ in rendered:
                        images[number] = picture.resize(image)
                        number += 1
                    return await inference.offload_long(_npy, images)

        async def parts() -> AsyncGenerator[bytes, None]:
            with ArchiveStream("zip") as archive:
                number = 0
                async for image, score in rendered:
                    yield archive.add(f"face-{number:04}.{format}", await file(image, score))
                    number += 1
                yield archive.finish()

        if format == "npy":
            body = await inference.watch(request, array())
            return BodyResponse(body, bodies, media_type=NPY, headers=not_stored(model))
        if count > 1:
            reservation = inference.reserve(client, places, long=True)
            return StreamedResponse(parts(), reservation, media_type=ZIP, headers=not_stored(model))
        image, score = await inference.run(request, single())
        body = await inference.watch(request, file(image, score))
        headers = {**not_stored(model), "X-FFGAN-Score": f"{score:.4f}"}
        return BodyResponse(body, bodies, media_type=MEDIA_TYPES[format], headers=headers)

    schema = Latents.model_json_schema()
    schema["properties"]["latents"]["maxItems"] = settings.max_latents
    add_file_route(
        app,
        "/latents",
        images_of_latents,
        method="POST",
        name="images_of_latents",
        summary="The images of latents",
        media_types=[*MEDIA_TYPES.values(), ZIP, NPY],
        description="The images",
        errors=UPLOAD_ERRORS,
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
    """A NumPy file of a contiguous array; nothing of it is held twice besides."""
    head = io.BytesIO()
    npy.write_array_header_1_0(head, npy.header_data_from_array_1_0(array))
    return b"".join((head.getvalue(), array.data))


def _invalid(message: str) -> RequestError:
    return RequestError(422, "invalid_latents", message, parameter="latents")


def _from_json(data: bytes, most: int) -> Float32:
    try:
        # Windows' editors and shells begin a text with a mark of its encoding.
        latents = Latents.model_validate_json(data.removeprefix(codecs.BOM_UTF8)).latents
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise _invalid(f"{place}: {first['msg']}") from None
    return _checked(np.array(latents, np.float32), most)


def _from_npy(data: bytes, most: int) -> Float32:
    """Reads the array itself; the header must describe exactly the bytes that follow it."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = read(file)
    except Exception as error:  # NumPy uses Python's parser for it, which raises many types
        raise _invalid(f"not a NumPy file: {str(error)[:80]}") from None
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        raise _invalid(f"the array is {dtype}, not float32 or float64")
    if len(shape) != 2 or shape[1] != LATENT_SIZE or shape[0] < 1:
        raise _invalid(f"the array has the shape {shape}, not (n, {LATENT_SIZE})")
    values = np.frombuffer(data, np.uint8, offset=file.tell())
    if values.size != shape[0] * shape[1] * dtype.itemsize:
        raise _invalid("the file is truncated, or longer than its header says")
    array = values.view(dtype).reshape(shape, order="F" if by_columns else "C")
    return _checked(array, most)


def _checked(array: NDArray[Any], most: int) -> Float32:
    if len(array) > most:
        raise RequestError(
            422, "too_many_latents", f"{len(array)} latents exceed the limit of {most}"
        )
    if not (np.abs(array) <= MAX_VALUE).all():
        raise _invalid(f"a number is outside -{MAX_VALUE:g} to {MAX_VALUE:g}")
    return np.ascontiguousarray(array, np.float32)
