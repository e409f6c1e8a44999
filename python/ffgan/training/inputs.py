# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step is fed with: latents, images, and the codes of images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ffgan.dataset import Batches, Dataset
from ffgan.latent import LATENT_SIZE
from ffgan.ranks import Ranks
from ffgan.training import identity_codes, warm_start
from ffgan.training.divergence import Position
from ffgan.training.identity_codes import IdentityCodes
from ffgan.training.settings import Settings
from ffgan.training.warm_start import PrincipalComponents
from ffgan.typing import Float32, UInt8

# First entry of the seed of these latents (2: trainer.py; 3 to 5: warm_start.py,
# identity_codes.py).
LATENT_STREAM = 1


def latents(settings: Settings, position: Position, ranks: Ranks) -> Float32:
    """z of the next step, a rank's rows of (batch, 100) from N(0, I), by the seed and position."""
    generator = np.random.default_rng((settings.seed, LATENT_STREAM, position.draw))
    whole = generator.standard_normal((settings.batch, LATENT_SIZE)).astype(np.float32)
    return np.ascontiguousarray(ranks.own(whole))


class RealImages:
    """This rank's images x of each step: likewise a function of seed and position."""

    def __init__(self, dataset: Dataset, settings: Settings, ranks: Ranks) -> None:
        self._dataset = dataset
        self._settings = settings
        self._ranks = ranks
        self._batches: Batches | None = None

    def next(self, position: Position) -> UInt8:
        """x of the next step, (n, 162, 162, 3), n for its stage and rank; positions in order."""
        settings = self._settings
        warm = position.step < settings.warm_start
        if self._batches is None or position.step == settings.warm_start:
            self.close()
            self._batches = self._dataset.batches(
                settings.warm_start_batch if warm else settings.batch,
                seed=settings.seed,
                start=position.draw,
                flip=settings.flip,
                part=(self._ranks.number, self._ranks.count),
            )
        return next(self._batches)

    def close(self) -> None:
        """Forget the order: the next position may be any."""
        if self._batches is not None:
            self._batches.close()
            self._batches = None


class Codes:
    """The codes of images that the warm start and the anchor need; None until they are found."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.components: PrincipalComponents | None = None
        self.identities: IdentityCodes | None = None

    def of(self, images: UInt8) -> Float32:
        """The codes (n, 100) of images (n, 162, 162, 3)."""
        assert self.components is not None
        codes = self.components.codes(images)
        if self.identities is not None and len(images):
            embeddings = identity_codes.embed(images, self._settings.recognition)
            self.identities.replace(codes, embeddings)
        return codes

    def find_components(self, dataset: Dataset, show: Callable[[int, int], None]) -> str:
        """Find the principal components; returns a line about them."""
        settings = self._settings
        self.components = warm_start.principal_components(
            dataset, seed=settings.seed, flip=settings.flip, progress=show
        )
        return (
            f"the first {warm_start.CODE_SIZE} principal components hold "
            f"{self.components.explained:.1%} of the variance"
        )

    def find_identities(self, dataset: Dataset, show: Callable[[int, int], None]) -> str:
        """Find the components that encode the face embedding; returns a line about them."""
        assert self.components is not None
        settings = self._settings
        self.identities = identity_codes.identity_codes(
            dataset,
            self.components,
            settings.identity_codes,
            seed=settings.seed,
            flip=settings.flip,
            recognition=settings.recognition,
            progress=show,
        )
        return (
            f"with {settings.identity_codes} of the embedding in place of the last ones, the "
            f"components hold {self.identities.explained:.1%} of the embeddings' variance"
        )

    def tensors(self) -> dict[str, Float32]:
        """For a checkpoint."""
        found = {"principal_components": self.components, "identity_codes": self.identities}
        return {
            f"{name}.{key}": tensor
            for name, codes in found.items()
            if codes is not None
            for key, tensor in codes.tensors().items()
        }

    def restore(self, tensors: dict[str, dict[str, Float32]]) -> None:
        """The inverse of `tensors`, from a checkpoint's tensors by their first names."""
        if "principal_components" in tensors:
            self.components = PrincipalComponents.from_tensors(tensors["principal_components"])
        if "identity_codes" in tensors:
            found = IdentityCodes.from_tensors(tensors["identity_codes"])
            # Another number of them is found anew.
            if len(found) == self._settings.identity_codes:
                self.identities = found
