# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of a model: its faces and real images beside all training images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import numpy as np

from ffgan import evaluation, faces, features
from ffgan.audit.figures import compare
from ffgan.audit.nearest_neighbours import (
    SIDE,
    SPACES,
    NearestNeighbours,
    Space,
    concatenate,
    mirror,
)
from ffgan.audit.sources import Block, Folder, Samples, in_order
from ffgan.audit.verdict import verdict
from ffgan.dataset import Colour, Fit, overlap
from ffgan.errors import UsageError
from ffgan.evaluation import metrics
from ffgan.latent import check_seed
from ffgan.model import DEFAULT_TRIES, Model
from ffgan.ranks import Ranks
from ffgan.typing import RGB, ProgressCallback

DEFAULT_SAMPLES: Final = 2000
MAX_SAMPLES: Final = 20_000
"""Some 300 MB: samples and as many real images are held as 54x54 pixels."""

PAIRS: Final = 18
REAL_PAIRS: Final = 6


@dataclass(frozen=True)
class Pair:
    """An image and the training image nearest to it, mirrored if it is so that it is nearest.

    Both are (162, 162, 3) uint8 RGB. ``name`` is a seed or a file, ``training_name`` a file.
    """

    image: RGB
    name: str
    training: RGB
    training_name: str
    mirrored: bool
    distance: float

    def described(self) -> dict[str, Any]:
        """Return what it is without the images, as JSON's types."""
        return {
            "name": self.name,
            "training": self.training_name,
            "mirrored": self.mirrored,
            "distance": self.distance,
        }


@dataclass(frozen=True)
class Audit:
    """What `audit` found: ``figures`` as JSON's types, and by space the closest pairs.

    ``pairs`` are of generated faces, ``real_pairs`` of the real images beside them.
    """

    figures: dict[str, Any]
    pairs: dict[Space, list[Pair]]
    real_pairs: dict[Space, list[Pair]]


def audit(
    model: Model | str | os.PathLike[str] | None,
    train: str | os.PathLike[str],
    heldout: str | os.PathLike[str] | None = None,
    *,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    candidates: bool = False,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    mirrored: bool = True,
    fit: Fit = "crop",
    colour: Colour | None = None,
    recognition: faces.File | None = None,
    ranks: Ranks | None = None,
    progress: ProgressCallback = lambda what, done, total: None,
) -> Audit:
    """Compare a model's faces with the images in ``train``, beside real images from ``heldout``.

    The faces of ``samples`` seeds from ``seed`` on: their first draws, or with ``candidates`` what
    the candidate search with ``tries`` and ``threshold`` takes. All training images are compared,
    with ``mirrored`` also mirrored, as a training with flips meets them. Beside the faces stand as
    many held-out images, or all where there are fewer; without ``heldout`` as many training images,
    each compared with the others. ``ranks``: processes that share the images
    (`ffgan.ranks.of_launcher`); all get the audit.

    Raises `UsageError`, `DatasetError` for a folder of fewer than `evaluation.MIN_IMAGES` images,
    `ModelError`, and `ExtraError` when the extra `evaluate` is not installed.
    """
    together = Ranks() if ranks is None else ranks

    def opened() -> tuple[Samples, features.Network, Folder, Folder | None]:
        if not evaluation.MIN_IMAGES <= samples <= MAX_SAMPLES:
            raise UsageError(
                f"{samples} samples: give from {evaluation.MIN_IMAGES} to {MAX_SAMPLES}"
            )
        check_seed(seed + samples - 1)
        if heldout is not None and overlap(train, heldout):
            raise UsageError(
                f"--heldout {heldout} and --train {train} are not apart: "
                "held-out images have a folder of their own"
            )
        loaded = model if isinstance(model, Model) else Model.load(model)
        source = Samples(loaded, samples, seed, candidates, tries, threshold)
        network = features.load("faces", recognition=recognition)
        metrics.require()
        trained = Folder(train, fit, colour, network, mirrored)
        if heldout is None:
            return source, network, trained, None
        return source, network, trained, Folder(heldout, fit, colour, network, mirrored)

    source, network, trained, held_out = together.each(opened)
    asked = (samples, seed, candidates, tries, threshold, mirrored, fit)
    together.check_same(
        {
            "the model": source.faces_id,
            "the hash of the training images' names and sizes": trained.dataset.hash,
            "that of the held-out images": held_out and held_out.dataset.hash,
            "the network": network.description,
            "what is asked for": asked,
        }
    )
    made = source.representations(network, together, partial(progress, "samples"))
    stream = trained.representations(
        len(trained.dataset), together, partial(progress, "training images")
    )
    control: dict[str, NearestNeighbours] = {}
    if held_out is None:
        # Training images stand in for others: each is compared with the rest of its own too.
        first = list(_until(stream, lambda: trained.count >= samples))
        stream = chain(first, stream)
        kept = in_order(together.every(lambda: [one for one in first if one[0] < samples]))
        others = concatenate([plain for _, plain, _ in kept])
        other_images = NearestNeighbours(others, np.arange(len(others)))
    else:
        own = list(
            held_out.representations(samples, together, partial(progress, "held-out images"))
        )
        others = concatenate([plain for _, plain, _ in in_order(together.every(lambda: own))])
        other_images = NearestNeighbours(others)
        control = {
            "samples": NearestNeighbours(made),
            "real": NearestNeighbours(others, np.arange(len(others))),
        }
        for block in own:
            for nearest in control.values():
                nearest.update(*block)
    ours = NearestNeighbours(made)
    for block in stream:
        ours.update(*block)
        other_images.update(*block)
    for nearest in (ours, other_images, *control.values()):
        nearest.merge(together.every(nearest.found))
    return together.first(
        lambda: _audit(source, trained, held_out, network, ours, other_images, control)
    )


def _audit(
    source: Samples,
    trained: Folder,
    held_out: Folder | None,
    network: features.Network,
    ours: NearestNeighbours,
    other_images: NearestNeighbours,
    control: dict[str, NearestNeighbours],
) -> Audit:
    """The figures and pairs, where all images have been compared."""
    spaces = {space: compare(space, ours, other_images, control, trained.count) for space in SPACES}
    against = trained if held_out is None else held_out
    figures: dict[str, Any] = {
        "samples": source.description(),
        "train": trained.description(),
        "held_out": None if held_out is None else held_out.description(),
        "real_count": len(other_images),
        "measured_with": {
            "pixels": f"root mean square difference at {SIDE}x{SIDE} pixels, values from 0 to 1",
            "faces": f"Euclidean distance, {network.description}",
        },
        "spaces": spaces,
    }
    if held_out is not None:
        figures["held_out"]["in_training"] = int((other_images.distance["pixels"] == 0).sum())
    figures["verdict"] = verdict(figures)
    pairs: dict[Space, list[Pair]] = {}
    real_pairs: dict[Space, list[Pair]] = {}
    for space in SPACES:
        pairs[space] = list(_closest(space, ours, source, trained, PAIRS))
        real_pairs[space] = list(_closest(space, other_images, against, trained, REAL_PAIRS))
        for name, some in (("closest", pairs[space]), ("closest_real", real_pairs[space])):
            spaces[space][name] = [pair.described() for pair in some]
    return Audit(figures, pairs, real_pairs)


def _until(blocks: Iterator[Block], enough: Callable[[], bool]) -> Iterator[Block]:
    """The blocks up to that after which there are enough, or all."""
    for block in blocks:
        yield block
        if enough():
            return


def _closest(
    space: Space, nearest: NearestNeighbours, source: Samples | Folder, trained: Folder, count: int
) -> Iterator[Pair]:
    """The pairs of the smallest distances, the closest one first."""
    for place in np.argsort(nearest.distance[space], kind="stable")[:count].tolist():
        index, mirrored = int(nearest.index[space][place]), bool(nearest.mirrored[space][place])
        training = trained.image(index)
        yield Pair(
            source.image(place),
            source.name(place),
            mirror(training[None])[0] if mirrored else training,
            trained.name(index),
            mirrored,
            float(nearest.distance[space][place]),
        )
