# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring a set of images: network outputs, patches, sharpness, borders, and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ffgan import faces, features
from ffgan.evaluation import borders, demographics, metrics
from ffgan.model import Model
from ffgan.ranks import Ranks
from ffgan.typing import RGB, Float32, Float64, Int64

PATCHES: Final = 65536
SEED: Final = 0
"""The seed of the choice of real images, of patches and of directions."""


@dataclass(frozen=True)
class NetworkOutputs:
    """The outputs of networks for n images.

    ``features`` (n, d) and ``embeddings`` (n, 128) float32; ``found`` (n,) bool: whether dlib's
    detector finds a face; ``tone`` and ``yaw`` (n,) float32: its `demographics.Attributes`.
    """

    features: Float32
    embeddings: Float32
    found: NDArray[np.bool_]
    tone: Float32
    yaw: Float32


OUTPUT_NAMES: Final = tuple(field.name for field in fields(NetworkOutputs))


@dataclass(frozen=True)
class Measured:
    """What `measure` keeps of a set of n images, instead of the images.

    ``patches`` by the side of a pyramid's level, each (k, 3, 7, 7) float32, `PATCHES` in all;
    ``sharpness``: the mean square of the finest level; ``borders``: `borders.differences`;
    ``scores`` (n,) float32: the discriminator's, empty without one.
    """

    outputs: NetworkOutputs
    patches: dict[int, Float32]
    sharpness: float
    borders: Float64
    scores: Float32


@dataclass(frozen=True)
class _Part:
    """What is measured of a block of images, the first of which is image ``place``.

    ``energy`` is the sum of ``values`` squares, ``borders`` the sum over the images.
    """

    place: int
    images: int
    outputs: NetworkOutputs | None
    scores: Float32
    patches: dict[int, list[Float32]]
    energy: float
    values: int
    borders: Float64


def measure(
    blocks: Iterable[RGB],
    count: int,
    network: features.Network,
    *,
    model: Model | None = None,
    recognition: faces.File | None = None,
    known: NetworkOutputs | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Measure at most ``count`` images that come in ``blocks`` (k, h, w, 3) uint8 RGB of one size.

    With a ``model`` its discriminator scores them too. ``recognition``: dlib's face recognition
    network, else that of the extra. ``known``: outputs computed before. Raises `ffgan.Error`.
    """

    def placed() -> Iterator[tuple[int, RGB]]:
        place = 0
        for block in blocks:
            yield place, block
            place += len(block)

    return measure_together(
        placed(),
        count,
        network,
        Ranks(),
        model=model,
        recognition=recognition,
        known=known,
        progress=progress,
    )


def measure_together(
    blocks: Iterable[tuple[int, RGB]],
    count: int,
    network: features.Network,
    ranks: Ranks,
    *,
    model: Model | None,
    recognition: faces.File | None,
    known: NetworkOutputs | None,
    progress: Callable[[int], None],
) -> Measured:
    """Do as `measure`; each of ``ranks`` has blocks of its own, and all get the whole.

    With a block comes the place of its first image among all.
    """
    ends = np.arange(count + 1) * PATCHES // count  # spread evenly
    own: list[_Part] = []
    for place, block in blocks:
        if len(block):
            outputs = _outputs(block, network, recognition) if known is None else None
            scores = np.empty(0, np.float32) if model is None else model.score(block)
            own.append(_part(place, block, outputs, scores, ends))
            progress(place + len(block))
    parts = sorted(chain(*ranks.every(lambda: own)), key=lambda part: part.place)
    if known is None:
        outputs_of = [part.outputs for part in parts]
        known = NetworkOutputs(
            *(np.concatenate([getattr(one, name) for one in outputs_of]) for name in OUTPUT_NAMES)
        )
    patches = {
        side: np.concatenate([some for part in parts for some in part.patches[side]])
        for side in parts[0].patches
    }
    return Measured(
        known,
        patches,
        sum(part.energy for part in parts) / sum(part.values for part in parts),
        sum((part.borders for part in parts), np.zeros(borders.SHAPE))
        / sum(part.images for part in parts),
        np.concatenate([part.scores for part in parts]),
    )


def _part(
    place: int, block: RGB, outputs: NetworkOutputs | None, scores: Float32, ends: Int64
) -> _Part:
    """``ends``: before which of all patches those of each image end."""
    pyramid = metrics.laplacian_pyramid(block)
    patches: dict[int, list[Float32]] = {}
    for level in pyramid:
        side = level.shape[2]
        patches[side] = [
            metrics.patches(level, image, int(ends[at + 1] - ends[at]), (SEED, side, at))
            for image, at in enumerate(range(place, place + len(block)))
        ]
    return _Part(
        place,
        len(block),
        outputs,
        scores,
        patches,
        float(np.sum(np.square(pyramid[0]), dtype=np.float64)),
        pyramid[0].size,
        len(block) * borders.differences(block),
    )


def _outputs(
    block: RGB, network: features.Network, recognition: faces.File | None
) -> NetworkOutputs:
    embeddings = features.load("faces", recognition=recognition).extract(block)
    found = faces.detect_all(block)
    attributes = [
        demographics.attributes(image, boxes) for image, boxes in zip(block, found, strict=True)
    ]
    return NetworkOutputs(
        embeddings if network.name == "faces" else network.extract(block),
        embeddings,
        np.array([len(boxes) > 0 for boxes in found]),
        np.array([each.tone for each in attributes], np.float32),
        np.array([each.yaw for each in attributes], np.float32),
    )
