# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sets of images beside each other: all figures of sets that were measured, or a few fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ffgan import faces, features
from ffgan.errors import UsageError
from ffgan.evaluation import borders, demographics, metrics
from ffgan.evaluation.measurement import SEED, Measured
from ffgan.evaluation.real_set import BLOCK, MIN_IMAGES
from ffgan.typing import RGB, Float32

DEFAULT_FEATURES: Final[features.Name] = "imagenet"


def compare(samples: Measured, real: Measured) -> dict[str, Any]:
    """Return the figures of samples beside real images, as JSON's types.

    The features of both are of one network, and the images of one size.
    """
    kernel = metrics.kernel_distance(samples.outputs.features, real.outputs.features)
    precision, recall = metrics.precision_recall(samples.outputs.features, real.outputs.features)
    wasserstein = {}
    for side, ours in samples.patches.items():
        theirs = real.patches[side]
        common = min(len(ours), len(theirs))
        wasserstein[str(side)] = metrics.sliced_wasserstein(
            ours[:common], theirs[:common], (SEED, side)
        )
    wasserstein["mean"] = float(np.mean(list(wasserstein.values())))
    sides = {"samples": samples, "real": real}
    return {
        "frechet_distance": metrics.frechet_distance(
            samples.outputs.features, real.outputs.features
        ),
        "kernel_distance": kernel._asdict(),
        "precision": precision,
        "recall": recall,
        "sliced_wasserstein": wasserstein,
        "sharpness": {
            **{name: side.sharpness for name, side in sides.items()},
            "ratio": _ratio(samples.sharpness, real.sharpness),
        },
        "borders": borders.compare(samples.borders, real.borders),
        "faces_found": {name: float(side.outputs.found.mean()) for name, side in sides.items()},
        "identities": {
            name: metrics.spread(side.outputs.embeddings, faces.SAME_PERSON)._asdict()
            for name, side in sides.items()
        },
        "groups": {
            name: demographics.shares(side.outputs.tone, side.outputs.yaw)
            for name, side in sides.items()
        },
    }


@dataclass
class Reference:
    """What `quick` needs of a set of images: measure the real ones once with `reference`."""

    network: features.Network
    vectors: Float32
    sharpness: float


def reference(real: RGB, *, feature_network: str = DEFAULT_FEATURES) -> Reference:
    """Measure real images (n, h, w, 3) uint8 RGB for `quick`; raises `ffgan.Error`."""
    return summarise(_blocks(_enough(real)), features.load(feature_network))


def summarise(blocks: Iterable[RGB], network: features.Network) -> Reference:
    """Measure images that come in ``blocks`` (k, h, w, 3) uint8 RGB, at least one of them."""
    vectors: list[Float32] = []
    energy, values = 0.0, 0
    for block in blocks:
        vectors.append(network.extract(block))
        finest = metrics.laplacian_pyramid(block)[0]
        energy += float(np.sum(np.square(finest), dtype=np.float64))
        values += finest.size
    return Reference(network, np.concatenate(vectors), energy / values)


def quick(samples: RGB, real: RGB | Reference) -> dict[str, float | None]:
    """Return a few figures of samples (n, h, w, 3) uint8 RGB beside real images, fast.

    ``frechet_distance``, ``kernel_distance`` and its ``kernel_distance_error``, and ``sharpness``,
    the ratio to the real images'. 500 of each are enough to follow a training, at some 8 seconds
    of one core; with a `Reference` the real images are not measured again. Compare Frechet
    distances only for the same numbers. Raises `ffgan.Error`.
    """
    known = real if isinstance(real, Reference) else reference(real)
    return quick_figures(summarise(_blocks(_enough(samples)), known.network), known)


def quick_figures(samples: Reference, real: Reference) -> dict[str, float | None]:
    """Return the figures of `quick` for two sets that `summarise` measured with one network."""
    kernel = metrics.kernel_distance(samples.vectors, real.vectors)
    return {
        "frechet_distance": metrics.frechet_distance(samples.vectors, real.vectors),
        "kernel_distance": kernel.value,
        "kernel_distance_error": kernel.standard_error,
        "sharpness": _ratio(samples.sharpness, real.sharpness),
    }


def _ratio(ours: float, theirs: float) -> float | None:
    return ours / theirs if theirs else None


def _enough(images: RGB) -> RGB:
    if len(images) < MIN_IMAGES:
        raise UsageError(f"{len(images)} images are too few: give at least {MIN_IMAGES}")
    return images


def _blocks(images: RGB) -> Iterator[RGB]:
    for start in range(0, len(images), BLOCK):
        yield images[start : start + BLOCK]
