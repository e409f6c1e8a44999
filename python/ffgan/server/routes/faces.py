# SPDX-License-Identifier: GPL-3.0-or-later
"""One face: as a file, and the two endpoints of the original program."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from string import Template

import numpy as np
from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from ffgan import images
from ffgan.latent import path, random_seed
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.caching import NO_STORE, immutable
from ffgan.server.http.encoding import MEDIA_TYPES, Picture
from ffgan.server.http.errors import BUSY
from ffgan.server.http.parameters import FaceParameters, LimitedQuery
from ffgan.server.http.shares import BodyResponse, Shares, client_of
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import TINY, Inference
from ffgan.server.routes.pages import static_text
from ffgan.server.routes.registration import add_file_route
from ffgan.server.settings import Settings
from ffgan.typing import Float32


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a face file's bytes, besides the program and the model.

    The face of the only seed, or the one interpolated at ``position``, 0 to 1, between the first
    seed and the second; then moved along directions.
    """

    seeds: tuple[int, ...]
    position: float
    moves: tuple[tuple[int, float], ...]
    search: Search
    picture: Picture

    @classmethod
    def of(cls, wanted: FaceParameters, search: Search, format: images.Format) -> Recipe:
        if wanted.seeds is not None:
            seeds, position = wanted.between
        else:
            seeds, position = (random_seed() if wanted.seed is None else wanted.seed,), 0.0
        picture = Picture(format, wanted.size, wanted.quality)
        return cls(seeds, position, wanted.moves, search, picture)

    @property
    def name(self) -> str:
        return ",".join(str(seed) for seed in self.seeds)

    async def make(
        self, request: Request, inference: Inference, model: Model
    ) -> tuple[Face, bytes]:
        """The face and its file, for a request."""
        client, places = client_of(request), len(self.seeds)
        if self.picture.need > TINY:
            # It may have to wait for memory, and must not keep its places from others meanwhile.
            face, metadata = await inference.run(
                request, self._draw(client, inference, model), places=places
            )
            encoding = inference.encode(client, self.picture, face.image, metadata)
            return face, await inference.watch(request, encoding)

        async def both() -> tuple[Face, bytes]:
            face, metadata = await self._draw(client, inference, model)
            return face, await inference.encode(client, self.picture, face.image, metadata)

        return await inference.run(request, both(), places=places)

    async def _draw(
        self, client: str, inference: Inference, model: Model
    ) -> tuple[Face, dict[str, str]]:
        """The face, and what its file says of it."""
        first = self.seeds[0]
        if len(self.seeds) == 1 and not self.moves:
            face = await inference.face(client, model, first, self.search)
        else:
            results = await asyncio.gather(
                *(inference.latent(client, model, seed, self.search) for seed in self.seeds)
            )
            latent = self._latent(model, [result.latent for result in results])
            image, score = await inference.render(client, model, latent)
            face = Face(image, first, latent, sum(result.tries for result in results), score)
        metadata = self.search.metadata(model, face) | {"seed": self.name}
        if len(self.seeds) > 1:
            metadata["at"] = repr(self.position)
        if self.moves:
            metadata["move"] = ",".join(f"{index}:{amount:g}" for index, amount in self.moves)
        return face, metadata

    def _latent(self, model: Model, latents: list[Float32]) -> Float32:
        latent = path(np.stack(latents), self.position)
        for index, amount in self.moves:
            latent = latent + np.float32(amount) * model.directions()[index].vector
        return latent

    def headers(self, face: Face) -> dict[str, str]:
        """The headers that identify the face of a response."""
        return {
            "X-FFGAN-Seed": self.name,
            "X-FFGAN-Score": f"{face.score:.4f}",
            "X-FFGAN-Tries": str(face.tries),
        }


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
        `/directions`. The headers `X-FFGAN-Seed`, `X-FFGAN-Score` and `X-FFGAN-Tries` identify the
        face."""
        model = inference.loaded()
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings), format)
        caching = NO_STORE
        if not (wanted.seed is None and wanted.seeds is None):
            caching = immutable(request, model, recipe)
        made, body = await recipe.make(request, inference, model)
        file = f"ffgan-{recipe.name.replace(',', '-')}.{format}"
        name = {"Content-Disposition": f'inline; filename="{file}"'}
        return BodyResponse(
            body,
            bodies,
            media_type=MEDIA_TYPES[format],
            headers={**caching, **recipe.headers(made), **name},
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
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings), "jpg")
        face, body = await recipe.make(request, inference, model)
        uri = f"data:image/jpeg;base64,{base64.b64encode(body).decode()}"
        return uri, {**NO_STORE, **recipe.headers(face)}

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
