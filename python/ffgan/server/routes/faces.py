# SPDX-License-Identifier: GPL-3.0-or-later
"""One face: as a file by URL, and the original's two answers."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from string import Template
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from ffgan import images
from ffgan.latent import path, random_seed
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.caching import RANDOM, SEEDED, entity_tag, not_modified
from ffgan.server.http.encoding import MEDIA_TYPES, Picture
from ffgan.server.http.errors import BUSY, INVALID
from ffgan.server.http.parameters import FaceParameters, limited
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.server.routes.pages import static_text
from ffgan.server.settings import Settings
from ffgan.typing import Float32


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a face file's bytes, besides the program and the model.

    The face of the only seed, or the one at `position`, 0 to 1, on the way from the first seed's
    to the second's; then moved along directions.
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

    async def make(self, inference: Inference, model: Model) -> tuple[Face, bytes]:
        """The face and its file."""
        first = self.seeds[0]
        if len(self.seeds) == 1 and not self.moves:
            face = await self.search.face(inference, model, first)
        else:
            every = await asyncio.gather(
                *(self.search.find(inference, model, seed) for seed in self.seeds)
            )
            latent = self._latent(model, [found.latent for found in every])
            image, score = await inference.render(model, latent)
            face = Face(image, first, latent, sum(found.tries for found in every), score)
        origin = self.search.origin(model, face) | {"seed": self.name}
        if len(self.seeds) > 1:
            origin["at"] = repr(self.position)
        if self.moves:
            origin["move"] = ",".join(f"{index}:{amount:g}" for index, amount in self.moves)
        return face, await inference.offload(self.picture.encode, face.image, origin)

    def _latent(self, model: Model, latents: list[Float32]) -> Float32:
        latent = path(np.stack(latents), self.position)
        for index, amount in self.moves:
            latent = latent + np.float32(amount) * model.directions()[index].vector
        return latent

    def describe(self, face: Face) -> dict[str, str]:
        """The headers that say which face an answer holds."""
        return {
            "X-FFGAN-Seed": self.name,
            "X-FFGAN-Score": f"{face.score:.4f}",
            "X-FFGAN-Tries": str(face.tries),
        }


def add_faces(app: FastAPI, inference: Inference, settings: Settings) -> None:
    """The endpoints that answer with one face."""
    for format in MEDIA_TYPES:
        _add_face(app, inference, settings, format)
    _add_originals(app, inference, settings)


def _add_face(
    app: FastAPI, inference: Inference, settings: Settings, format: images.Format
) -> None:
    # The docstring is the endpoint's text in /docs and /openapi.json.
    async def face(request: Request, wanted: FaceParameters) -> Response:
        """One face. With `seed` or `seeds`, the answer has an ETag and may be cached for ever;
        without, it is a random face and not stored. `seeds` and `at` give a face between those of
        several seeds, `move` changes it along the directions of `/directions`. `X-FFGAN-Seed`,
        `X-FFGAN-Score` and `X-FFGAN-Tries` say what was made."""
        model = inference.loaded()
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings), format)
        caching = RANDOM
        if not (wanted.seed is None and wanted.seeds is None):
            caching = {**SEEDED, "ETag": entity_tag(model, recipe)}
            if (known := not_modified(request, caching["ETag"], caching)) is not None:
                return known
        made, body = await inference.answer(
            request, recipe.make(inference, model), places=len(recipe.seeds)
        )
        file = f"ffgan-{recipe.name.replace(',', '-')}.{format}"
        name = {"Content-Disposition": f'inline; filename="{file}"'}
        return Response(
            body,
            media_type=MEDIA_TYPES[format],
            headers={**caching, **recipe.describe(made), **name},
        )

    face.__annotations__["wanted"] = Annotated[limited(FaceParameters, settings), Query()]
    app.add_api_route(
        f"/face.{format}",
        face,
        methods=["GET"],
        name=f"face_{format}",
        summary=f"A face as {format.upper()}",
        response_class=Response,
        responses={
            200: {"content": {MEDIA_TYPES[format]: {}}, "description": "The face"},
            304: {"description": "The face named by If-None-Match is still right"},
            **INVALID,
            **BUSY,
        },
    )


def _add_originals(app: FastAPI, inference: Inference, settings: Settings) -> None:
    page = Template(static_text("get_image.html"))

    async def random_face(request: Request) -> tuple[str, dict[str, str]]:
        """A random face as a data URI, and the headers that describe it."""
        model = inference.loaded()
        wanted = FaceParameters()
        recipe = Recipe.of(wanted, Search.of(wanted, model, settings), "jpg")
        face, body = await inference.answer(request, recipe.make(inference, model))
        uri = f"data:image/jpeg;base64,{base64.b64encode(body).decode()}"
        return uri, {**RANDOM, **recipe.describe(face)}

    @app.get(
        "/get_image",
        response_class=HTMLResponse,
        responses=BUSY,
        summary="A page with one face",
    )
    async def get_image(request: Request) -> Response:
        """A random face inlined as JPEG, and a Regenerate button; works without JavaScript."""
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
