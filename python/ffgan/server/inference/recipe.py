# SPDX-License-Identifier: GPL-3.0-or-later
"""One face: of a seed or between several, with what is asked of it, moved along directions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ffgan.control import ControlledFace
from ffgan.control.text import in_a_line
from ffgan.latent import path, random_seed
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.parameters import OneFaceParameters
from ffgan.server.inference.search import Search
from ffgan.server.inference.service import Inference
from ffgan.typing import Float32


@dataclass(frozen=True, eq=False)
class Drawn:
    """A face, what its file says of it, and its attributes where something was asked of it.

    ``reached``: whether all that was asked is there, where that was what the face was made for.
    """

    face: Face
    metadata: dict[str, str]
    attributes: Mapping[str, float] | None
    reached: bool | None


@dataclass(frozen=True)
class Recipe:
    """Everything that determines an image, besides the program and the model.

    The face of the only seed, or the one interpolated at ``position``, 0 to 1, between the first
    seed and the second; then moved along directions.
    """

    seeds: tuple[int, ...]
    position: float
    moves: tuple[tuple[int, float], ...]
    search: Search

    @classmethod
    def of(cls, wanted: OneFaceParameters, search: Search) -> Recipe:
        if wanted.seeds is not None:
            seeds, position = wanted.between
        else:
            seeds, position = (random_seed() if wanted.seed is None else wanted.seed,), 0.0
        return cls(seeds, position, wanted.moves, search)

    @property
    def name(self) -> str:
        return ",".join(str(seed) for seed in self.seeds)

    async def draw(self, client: str, inference: Inference, model: Model) -> Drawn:
        first = self.seeds[0]
        attributes: Mapping[str, float] | None = None
        reached: bool | None = None
        if len(self.seeds) == 1 and not self.moves:
            face = await inference.face(client, model, first, self.search)
            if isinstance(face, ControlledFace):
                attributes, reached = face.attributes, face.reached
        else:
            results = await asyncio.gather(
                *(inference.latent(client, model, seed, self.search) for seed in self.seeds)
            )
            latent = self._latent(model, [result.latent for result in results])
            image, score = await inference.render(client, model, latent)
            face = Face(image, first, latent, sum(result.tries for result in results), score)
            if self.search.asked is not None:
                attributes = await inference.attributes(client, model, image)
        metadata = self.search.metadata(model, face) | {"seed": self.name}
        if len(self.seeds) > 1:
            metadata["at"] = repr(self.position)
        if self.moves:
            metadata["move"] = ",".join(f"{index}:{amount:g}" for index, amount in self.moves)
        return Drawn(face, metadata, attributes, reached)

    def _latent(self, model: Model, latents: list[Float32]) -> Float32:
        latent = path(np.stack(latents), self.position)
        for index, amount in self.moves:
            latent = latent + np.float32(amount) * model.directions()[index].vector
        return latent

    def headers(self, drawn: Drawn) -> dict[str, str]:
        """The headers that identify the face of a response, and say what it has."""
        headers = {
            "X-FFGAN-Seed": self.name,
            "X-FFGAN-Score": f"{drawn.face.score:.4f}",
            "X-FFGAN-Tries": str(drawn.face.tries),
        }
        if drawn.attributes is not None:
            headers["X-FFGAN-Attributes"] = in_a_line(drawn.attributes)
        if drawn.reached is not None:
            headers["X-FFGAN-Reached"] = "yes" if drawn.reached else "no"
        return headers
