# SPDX-License-Identifier: GPL-3.0-or-later
"""One face: as a file, and the two endpoints of the original program."""

from __future__ import annotations

import base64
from string import Template

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from ffgan import images
from ffgan.model import Model
from ffgan.server.http.caching import immutable, not_stored
from ffgan.server.http.encoding import MEDIA_TYPES, Picture
from ffgan.server.http.errors import BUSY
from ffgan.server.http.parameters import FaceParameters, LimitedQuery
from ffgan.server.http.shares import BodyResponse, Shares, client_of
from ffgan.server.inference.recipe import Drawn, Recipe
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import TINY, Inference
from ffgan.server.routes.pages import static_text
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings


async def make(
    recipe: Recipe, picture: Picture, request: Request, inference: Inference, model: Model
) -> tuple[Drawn, bytes]:
    """The face and its file, for a request."""
    client, places = client_of(request), len(recipe.seeds)
    if picture.need > TINY:
        # It may have to wait for memory, and must not keep its places from others meanwhile.
        drawing = recipe.draw(client, inference, model)
        drawn = await inference.run(request, drawing, places=places)
        encoding = inference.encode(client, picture, drawn.face.image, drawn.metadata)
        return drawn, await inference.watch(request, encoding)

    async def both() -> tuple[Drawn, bytes]:
        drawn = await recipe.draw(client, inference, model)
        return drawn, await inference.encode(client, picture, drawn.face.image, drawn.metadata)

    return await inference.run(request, both(), places=places)


def add_faces(app: FastAPI, inference: Inference, settings: Settings, bodies: Shares) -> None:
    """The endpoints that respond with one face."""
    for format in MEDIA_TYPES:
        _add_face(app, inference, settings, bodies, format)
    _add_originals(app, inference, settings)


def _add_face(
    app: FastAPI,
    inference: Inference,
    settings: Settings,
    bodies: Shares,
    format: images.Format,
) -> None:
    query = Depends(LimitedQuery(FaceParameters, settings))

    async def face(request: Request, wanted: FaceParameters = query) -> Response:
        """One face. With `seed` or `seeds` the response has an ETag and may be cached without
        limit; without, it is a random face and not stored. `seeds` and `at` give a face
        interpolated between several seeds, `move` changes it along the directions of
        `/directions`. The parameters named after attributes and `change` ask for a face that has
        them; `X-FFGAN-Attributes` says what it has. The headers `X-FFGAN-Seed`, `X-FFGAN-Score` and
        `X-FFGAN-Tries` identify the face."""
        model = inference.loaded()
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings))
        picture = Picture(format, wanted.size, wanted.quality)
        caching = not_stored(model) if wanted.random else immutable(request, model, recipe, picture)
        drawn, body = await make(recipe, picture, request, inference, model)
        file = f"ffgan-{recipe.name.replace(',', '-')}.{format}"
        name = {"Content-Disposition": f'inline; filename="{file}"'}
        return BodyResponse(
            body,
            bodies,
            media_type=MEDIA_TYPES[format],
            headers={**caching, **recipe.headers(drawn), **name},
        )

    add_file_route(
        app,
        f"/face.{format}",
        face,
        summary=f"A face as {format.upper()}",
        media_types=[MEDIA_TYPES[format]],
        description="The face",
    )


def _add_originals(app: FastAPI, inference: Inference, settings: Settings) -> None:
    page = Template(static_text("get_image.html"))

    async def random_face(request: Request) -> tuple[str, dict[str, str]]:
        """A random face as a data URI, and the headers that describe it."""
        model = inference.loaded()
        wanted = FaceParameters()
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings))
        picture = Picture("jpg", wanted.size, wanted.quality)
        drawn, body = await make(recipe, picture, request, inference, model)
        uri = f"data:image/jpeg;base64,{base64.b64encode(body).decode()}"
        return uri, {**not_stored(model), **recipe.headers(drawn)}

    @app.get(
        "/get_image",
        response_class=HTMLResponse,
        responses=BUSY,
        summary="A page with one face",
    )
    async def get_image(request: Request) -> Response:
        """A random face, inlined as JPEG, and a Regenerate button; works without JavaScript."""
        uri, headers = await random_face(request)
        seed = headers["X-FFGAN-Seed"]
        return HTMLResponse(page.substitute(face=uri, seed=seed), headers=headers)

    @app.get(
        "/get_raw_image",
        response_class=PlainTextResponse,
        responses=BUSY,
        summary="A face as a data URI",
    )
    async def get_raw_image(request: Request) -> Response:
        """A random face as text: `data:image/jpeg;base64,...`."""
        uri, headers = await random_face(request)
        return PlainTextResponse(uri, headers=headers)
