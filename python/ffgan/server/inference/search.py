# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the candidate search for one request."""

from __future__ import annotations

from dataclasses import dataclass

from ffgan import __version__
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.server.http.parameters import SearchParameters
from ffgan.server.settings import Settings


@dataclass(frozen=True)
class Search:
    """How the face of a seed is found; with the seed and the model it determines the latent."""

    tries: int
    threshold: float
    truncation: float

    @classmethod
    def of(cls, wanted: SearchParameters, model: Model, settings: Settings) -> Search:
        """The search of a request; what it leaves open comes from the settings or the model."""
        threshold = model.threshold if settings.threshold is None else settings.threshold
        return cls(
            tries=wanted.tries or min(settings.tries, settings.max_tries),
            threshold=threshold if wanted.threshold is None else wanted.threshold,
            truncation=wanted.truncation,
        )

    def metadata(self, model: Model, face: Face | None = None) -> dict[str, str]:
        """The text metadata of a file: how it was made, and which face it holds."""
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
