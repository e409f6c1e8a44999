# SPDX-License-Identifier: GPL-3.0-or-later
"""How the face of a request is found: the candidate search, and what is asked of the face."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from ffgan import __version__
from ffgan.control import Constraints, ControlledFace
from ffgan.control.text import asked_line, asked_text, reached_text
from ffgan.model import Model
from ffgan.model.candidate_search import Face
from ffgan.projection.latent_file import METADATA_KEY, latent_text
from ffgan.server.http.errors import RequestError
from ffgan.server.http.parameters import SearchParameters
from ffgan.server.inference.asked import attributes_of, check, digest
from ffgan.server.settings import Settings


@dataclass(frozen=True)
class Asked:
    """What is asked of a face: ``text`` says it, ``fit`` is the digest of how it is reached.

    ``one_draw``: what the draw of the free face cannot have is not tried on the seed's next draws,
    which are other people.
    """

    constraints: Constraints = field(repr=False)
    text: str
    fit: str
    one_draw: bool


@dataclass(frozen=True)
class Search:
    """How the face of a seed is found; with the seed and the model it determines the latent."""

    tries: int
    threshold: float
    truncation: float
    asked: Asked | None = None

    @classmethod
    def of(cls, wanted: SearchParameters, model: Model, settings: Settings) -> Search:
        """The search of a request; what it leaves open comes from the settings or the model.

        Raises RequestError for what is asked and cannot be.
        """
        threshold = model.threshold if settings.threshold is None else settings.threshold
        free = cls(
            tries=wanted.tries or min(settings.tries, settings.max_tries),
            threshold=threshold if wanted.threshold is None else wanted.threshold,
            truncation=wanted.truncation,
        )
        constraints = wanted.constraints
        if constraints and free.tries > settings.max_asked_tries:
            most = settings.max_asked_tries
            if wanted.tries is not None:
                message = f"tries: must be at most {most} where something is asked of a face"
                raise RequestError(422, "invalid_parameter", message, parameter="tries")
            free = dataclasses.replace(free, tries=most)
        return free.asking(constraints, model, one_draw=wanted.keep == "person")

    @property
    def free(self) -> Search:
        """The search for the face without constraints, from which those set out."""
        return dataclasses.replace(self, asked=None)

    def asking(self, constraints: Constraints, model: Model, *, one_draw: bool = False) -> Search:
        """The same search with these constraints.

        Raises RequestError for what the model cannot do.
        """
        if not constraints:
            return self.free
        attributes = attributes_of(model)
        check(constraints, attributes)
        asked = Asked(constraints, asked_line(constraints), digest(attributes), one_draw)
        return dataclasses.replace(self, asked=asked)

    def metadata(self, model: Model, face: Face | None = None) -> dict[str, str]:
        """The text metadata of a file: how it was made, and which face it holds."""
        made_with = {
            "software": "ffgan",
            "version": __version__,
            **model.origin,
            "truncation": f"{self.truncation:g}",
            "threshold": f"{self.threshold:g}",
        }
        if self.asked is not None:
            made_with |= asked_text(self.asked.constraints)
        if face is None:
            return made_with
        if isinstance(face, ControlledFace):
            made_with |= reached_text(face)
            made_with[METADATA_KEY] = latent_text(face.latent, model.hash)
        found = {"seed": face.seed, "tries": face.tries, "score": f"{face.score:.4f}"}
        return made_with | {name: str(value) for name, value in found.items()}
