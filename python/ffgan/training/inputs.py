# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step is fed with: latents, images, and the codes of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np

from ffgan.dataset import Batch, Batches, Dataset
from ffgan.latent import LATENT_SIZE
from ffgan.ranks import Ranks
from ffgan.training import code_file, identity_codes, image_weights, warm_start
from ffgan.training.divergence import Position
from ffgan.training.identity_codes import IdentityCodes
from ffgan.training.settings import Settings
from ffgan.training.warm_start import PrincipalComponents
from ffgan.typing import Float32, Float64, UInt8

# First entry of the seed of these latents (2: trainer.py; 3 to 5: warm_start.py,
# identity_codes.py).
LATENT_STREAM = 1


def latents(settings: Settings, position: Position, ranks: Ranks) -> Float32:
    """z of the next step, a rank's rows of (batch, 100) from N(0, I), by the seed and position."""
    generator = np.random.default_rng((settings.seed, LATENT_STREAM, position.draw))
    whole = generator.standard_normal((settings.batch, LATENT_SIZE)).astype(np.float32)
    return np.ascontiguousarray(ranks.own(whole))


def weights(settings: Settings, dataset: Dataset) -> Float64 | None:
    """How often each image comes, (n,), or None: all as often.

    Raises UsageError and DatasetError as `image_weights.read` does.
    """
    if settings.image_weights is None:
        return None
    return image_weights.read(settings.image_weights, dataset.names)


class RealImages:
    """This rank's images x of each step: likewise a function of seed and position."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        ranks: Ranks,
        *,
        weights: Float64 | None = None,
    ) -> None:
        self._dataset = dataset
        self._settings = settings
        self._ranks = ranks
        self._weights = weights
        self._batches: Batches[Batch] | None = None

    def next(self, position: Position) -> Batch:
        """x of the next step, (n, 162, 162, 3), n for its stage and rank; positions in order."""
        settings = self._settings
        warm = position.step < settings.warm_start
        if self._batches is None or position.step == settings.warm_start:
            self.close()
            self._batches = self._dataset.indexed_batches(
                settings.warm_start_batch if warm else settings.batch,
                seed=settings.seed,
                start=position.draw,
                flip=settings.flip,
                part=(self._ranks.number, self._ranks.count),
                weights=self._weights,
            )
        return next(self._batches)

    def close(self) -> None:
        """Forget the order: the next position may be any."""
        if self._batches is not None:
            self._batches.close()
            self._batches = None


Show = Callable[[str, int], Callable[[int, int], None]]
"""Of a stage and how many of its units are worth a line: what is told how far it is."""


class Codes(ABC):
    """The codes of images that the warm start and the anchor need, once they are found."""

    @abstractmethod
    def pairs(self, batch: Batch) -> tuple[UInt8, Float32]:
        """Images (n, 162, 162, 3) of a batch and their codes (n, 100), for a generator to learn."""

    @abstractmethod
    def find(self, dataset: Dataset, show: Show) -> Iterator[str]:
        """Find what is missing, with a line about each part that was found."""

    @abstractmethod
    def tensors(self) -> dict[str, Float32]:
        """For a checkpoint."""

    @abstractmethod
    def restore(self, tensors: dict[str, dict[str, Float32]]) -> None:
        """The inverse of `tensors`, from a checkpoint's tensors by their first names."""


def codes(settings: Settings, dataset: Dataset) -> Codes:
    """Those that the settings ask for.

    Raises UsageError and DatasetError as `code_file.read` does.
    """
    if settings.codes is None:
        return CodesOfPixels(settings)
    return CodesOfFile(code_file.read(settings.codes, dataset.names))


class CodesOfPixels(Codes):
    """Principal components of the images, and of their face embeddings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.components: PrincipalComponents | None = None
        self.identities: IdentityCodes | None = None

    def pairs(self, batch: Batch) -> tuple[UInt8, Float32]:
        assert self.components is not None
        images = batch.images
        codes = self.components.codes(images)
        if self.identities is not None and len(images):
            embeddings = identity_codes.embed(images, self._settings.recognition)
            self.identities.replace(codes, embeddings)
        return images, codes

    def find(self, dataset: Dataset, show: Show) -> Iterator[str]:
        settings = self._settings
        if self.components is None:
            self.components = warm_start.principal_components(
                dataset, seed=settings.seed, flip=settings.flip, progress=show("components", 1000)
            )
            yield (
                f"the first {warm_start.CODE_SIZE} principal components hold "
                f"{self.components.explained:.1%} of the variance"
            )
        if settings.identity_codes and self.identities is None:
            self.identities = identity_codes.identity_codes(
                dataset,
                self.components,
                settings.identity_codes,
                seed=settings.seed,
                flip=settings.flip,
                recognition=settings.recognition,
                progress=show("identities", 1024),
            )
            yield (
                f"with {settings.identity_codes} of the embedding in place of the last ones, the "
                f"components hold {self.identities.explained:.1%} of the embeddings' variance"
            )

    def tensors(self) -> dict[str, Float32]:
        return _tensors(principal_components=self.components, identity_codes=self.identities)

    def restore(self, tensors: dict[str, dict[str, Float32]]) -> None:
        if "principal_components" in tensors:
            self.components = PrincipalComponents.from_tensors(tensors["principal_components"])
        if "identity_codes" in tensors:
            found = IdentityCodes.from_tensors(tensors["identity_codes"])
            # Another number of them is found anew.
            if len(found) == self._settings.identity_codes:
                self.identities = found


class CodesOfFile(Codes):
    """Principal components of vectors (n, k) that a file has of the images of a data set."""

    def __init__(self, vectors: Float32) -> None:
        self._vectors = vectors
        self.components: PrincipalComponents | None = None

    def pairs(self, batch: Batch) -> tuple[UInt8, Float32]:
        assert self.components is not None
        # What is known is known of the image that is not mirrored.
        turned_back = batch.images.copy()
        turned_back[batch.mirrored] = batch.images[batch.mirrored, :, ::-1]
        return turned_back, self.components.whiten(self._vectors[batch.indices])

    def find(self, dataset: Dataset, show: Show) -> Iterator[str]:
        if self.components is None:
            self.components = code_file.principal_components(self._vectors)
            yield (
                f"the first {warm_start.CODE_SIZE} principal components of the "
                f"{self._vectors.shape[1]} numbers of each image hold "
                f"{self.components.explained:.1%} of their variance"
            )

    def tensors(self) -> dict[str, Float32]:
        return _tensors(code_file=self.components)

    def restore(self, tensors: dict[str, dict[str, Float32]]) -> None:
        if "code_file" in tensors:
            size = self._vectors.shape[1]
            self.components = PrincipalComponents.from_tensors(tensors["code_file"], size)


def _tensors(**found: PrincipalComponents | IdentityCodes | None) -> dict[str, Float32]:
    return {
        f"{name}.{key}": tensor
        for name, codes in found.items()
        if codes is not None
        for key, tensor in codes.tensors().items()
    }
