# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring a set of images: network outputs, patches, sharpness, borders, and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ffgan import faces, features
from ffgan.evaluation import borders, demographics, metrics
from ffgan.model import Model
from ffgan.typing import RGB, Float32, Float64

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
    parts: list[NetworkOutputs] = []
    scores = [np.empty(0, np.float32)]
    patches: dict[int, list[Float32]] = {}
    energy, values, done = 0.0, 0, 0
    at_borders = np.zeros(borders.SHAPE)
    ends = np.arange(count + 1) * PATCHES // count  # spread evenly
    for block in blocks:
        if known is None:
            parts.append(_outputs(block, network, recognition))
        if model is not None:
            scores.append(model.score(block))
        pyramid = metrics.laplacian_pyramid(block)
        energy += float(np.sum(np.square(pyramid[0]), dtype=np.float64))
        values += pyramid[0].size
        for level in pyramid:
            side = level.shape[2]
            for image in range(len(block)):
                place = done + image
                share = int(ends[place + 1] - ends[place])
                some = metrics.patches(level, image, share, (SEED, side, place))
                patches.setdefault(side, []).append(some)
        at_borders += len(block) * borders.differences(block)
        done += len(block)
        progress(done)
    if known is None:
        known = NetworkOutputs(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in OUTPUT_NAMES)
        )
    joined = {side: np.concatenate(some) for side, some in patches.items()}
    return Measured(known, joined, energy / values, at_borders / done, np.concatenate(scores))


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
