# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an audit's images come from: a model, or a folder, block by block and one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from ffgan import evaluation, features
from ffgan.audit.nearest_neighbours import Representations, concatenate, mirror, represent
from ffgan.dataset import Colour, Dataset, Fit, printable
from ffgan.evaluation.real_set import real_blocks
from ffgan.locations import GivenPlace
from ffgan.model import Model
from ffgan.ranks import Ranks
from ffgan.typing import RGB

Block: TypeAlias = tuple[int, Representations, Representations | None]
"""The index of a block's first image, its images, and the same ones mirrored."""

Counted: TypeAlias = Callable[[int, int], None]
"""Told how many images are done, and how many there are."""


def in_order(blocks: Iterable[Iterable[Block]]) -> list[Block]:
    """The blocks of all ranks that hold images, by the index of their first one."""
    return sorted((block for some in blocks for block in some if len(block[1])), key=_index)


def _index(block: Block) -> int:
    return block[0]


class Samples:
    """A model's faces, by their place from 0 on."""

    def __init__(
        self,
        model: Model,
        count: int,
        first_seed: int,
        candidates: bool,
        tries: int,
        threshold: float | None,
    ) -> None:
        self._model, self._count, self._first = model, count, first_seed
        self._candidates, self._tries, self._threshold = candidates, tries, threshold

    @property
    def faces_id(self) -> str:
        """What a seed's face follows from."""
        return self._model.faces_id

    def _draw(self, first: int, count: int) -> RGB:
        seed = self._first + first
        if not self._candidates:
            return self._model.render(self._model.latents(count, seed))
        return self._model.generate(count, seed, tries=self._tries, threshold=self._threshold)

    def representations(
        self, network: features.Network, ranks: Ranks, progress: Counted
    ) -> Representations:
        """Of all faces, of which each rank draws some."""

        def own() -> list[Block]:
            parts: list[Block] = []
            step = ranks.count * evaluation.BLOCK
            for start in range(ranks.number * evaluation.BLOCK, self._count, step):
                count = min(evaluation.BLOCK, self._count - start)
                parts.append((start, represent(self._draw(start, count), network), None))
                progress(start + count, self._count)
            return parts

        return concatenate([part for _, part, _ in in_order(ranks.every(own))])

    def image(self, place: int) -> RGB:
        image: RGB = self._draw(place, 1)[0]
        return image

    def name(self, place: int) -> str:
        return f"seed {self._first + place}"

    def description(self) -> dict[str, Any]:
        return {
            "model": None if self._model.path is None else str(self._model.path),
            "model_hash": self._model.hash,
            "precision": self._model.precision,
            "count": self._count,
            "first_seed": self._first,
            "candidates": self._candidates,
        }


class Folder:
    """The readable images of a folder, in the random order of `evaluation.real_images`."""

    def __init__(
        self,
        directory: GivenPlace,
        fit: Fit,
        colour: Colour | None,
        network: features.Network,
        mirrored: bool,
    ) -> None:
        self.dataset = Dataset(directory, fit=fit, colour=colour)
        self._network, self._mirrored = network, mirrored
        self._readable: list[bool] = []

    @property
    def count(self) -> int:
        """Images read so far."""
        return sum(self._readable)

    def representations(self, count: int, ranks: Ranks, progress: Counted) -> Iterator[Block]:
        """Of ``count`` images, a block of each rank at a time; it may be empty."""
        count = min(count, len(self.dataset))
        for first, block in real_blocks(self.dataset, count, self._readable, ranks):
            turned = represent(mirror(block), self._network) if self._mirrored else None
            yield first, represent(block, self._network), turned
            progress(self.count, count)

    def _index(self, place: int) -> int:
        read = evaluation.order(self.dataset)[: len(self._readable)]
        return int(read[np.flatnonzero(self._readable)[place]])

    def image(self, place: int) -> RGB:
        return self.dataset.image(self._index(place))

    def name(self, place: int) -> str:
        return printable(self.dataset.names[self._index(place)])

    def description(self) -> dict[str, Any]:
        return {
            "directory": str(self.dataset.directory),
            "images": len(self.dataset),
            "count": self.count,
            "broken": len(self._readable) - self.count,
            "fit": self.dataset.fit,
            "colour": self.dataset.colour,
            "mirrored": self._mirrored,
            "list_hash": self.dataset.hash,
        }
