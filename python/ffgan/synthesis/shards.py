# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pictures are in which shard: a function of the settings alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ffgan.synthesis.settings import Settings


@dataclass(frozen=True)
class Shard:
    """Pictures ``first`` to ``first + count - 1`` of the set, which belong to one split.

    ``number``: from 0 in its split, in which ``place`` pictures are before it. ``seed``: the first
    of those that are its own.
    """

    split: str
    number: int
    first: int
    count: int
    place: int
    seed: int
    digits: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.numeral}"

    @property
    def numeral(self) -> str:
        """The number, of as many digits as all of its split have: names sort as numbers do."""
        return f"{self.number:0{self.digits}d}"


def splits(settings: Settings) -> dict[str, range]:
    """The pictures of each split, by its name: whole people, the last split being the rest."""
    found: dict[str, range] = {}
    share, begin = 0.0, 0
    last, _ = settings.split[-1]
    for name, part in settings.split:
        share += part
        people = settings.identities if name == last else round(settings.identities * share)
        end = people * settings.images_each
        found[name] = range(begin, end)
        begin = end
    return found


def shards(settings: Settings) -> Iterator[Shard]:
    """Yield the shards in the order of the set; no person is in two of them."""
    each = settings.images_each
    size = max(1, settings.shard_size // each) * each
    for split, pictures in splits(settings).items():
        digits = max(5, len(str(max(0, len(pictures) - 1) // size)))
        for number, first in enumerate(range(pictures.start, pictures.stop, size)):
            count = min(size, pictures.stop - first)
            seed = settings.seed + first * settings.seeds_each
            yield Shard(split, number, first, count, first - pictures.start, seed, digits)
