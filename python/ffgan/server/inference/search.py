# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate search that a request asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ffgan import __version__
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.parameters import SearchParameters
from ffgan.server.inference.search_cache import Found
from ffgan.server.inference.service import Inference
from ffgan.server.settings import Settings


@dataclass(frozen=True)
class Search:
    """How the face of a seed is found, with what the request leaves open filled in."""

    tries: int
    threshold: float
    truncation: float

    @classmethod
    def of(cls, wanted: SearchParameters, model: Model, settings: Settings) -> Search:
        threshold = model.threshold if settings.threshold is None else settings.threshold
        return cls(
            tries=wanted.tries or min(settings.tries, settings.max_tries),
            threshold=threshold if wanted.threshold is None else wanted.threshold,
            truncation=wanted.truncation,
        )

    async def face(self, inference: Inference, model: Model, seed: int) -> Face:
        return await inference.face(model, seed, **asdict(self))

    async def find(self, inference: Inference, model: Model, seed: int) -> Found:
        """For who wants the latent and no picture of it."""
        return await inference.find(model, seed, **asdict(self))

    def origin(self, model: Model, face: Face | None = None) -> dict[str, str]:
        """The text metadata of a file: what it was made with, and which face it holds."""
        made_with = {
            "software": "ffgan",
            "version": __version__,
            "model": model.hash,
            "truncation": f"{self.truncation:g}",
            "threshold": f"{self.threshold:g}",
        }
        if face is None:
            return made_with
        found = {"seed": face.seed, "tries": face.tries, "score": f"{face.score:.4f}"}
        return made_with | {name: str(value) for name, value in found.items()}
