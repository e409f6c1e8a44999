# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation of a model: its faces beside the real images of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffgan import faces, features
from ffgan.dataset import Colour, Dataset, Fit
from ffgan.errors import Error, UsageError
from ffgan.evaluation.cautions import cautions
from ffgan.evaluation.comparison import DEFAULT_FEATURES, compare
from ffgan.evaluation.measurement import SEED, Measured, measure_together
from ffgan.evaluation.real_set import (
    BLOCK,
    MIN_IMAGES,
    cache_key,
    read_cache,
    real_blocks,
    write_cache,
)
from ffgan.latent import check_seed
from ffgan.locations import GivenPlace
from ffgan.model import DEFAULT_TRIES, Model
from ffgan.ranks import Ranks, met
from ffgan.typing import RGB, Float32, ProgressCallback

DEFAULT_SAMPLES: Final = 2000
MAX_SAMPLES: Final = 1_000_000


def evaluate(
    model: Model | str | os.PathLike[str] | None,
    directory: GivenPlace,
    *,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    candidates: bool = False,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    feature_network: str = DEFAULT_FEATURES,
    recognition: faces.File | None = None,
    fit: Fit = "crop",
    colour: Colour | None = None,
    cache: str | os.PathLike[str] | None = None,
    ranks: Ranks | None = None,
    progress: ProgressCallback = lambda what, done, total: None,
) -> dict[str, Any]:
    """Return the figures of a model's faces beside the images in ``directory``, as JSON's types.

    The faces of ``samples`` seeds from ``seed`` on: their first draws, or with ``candidates`` what
    the candidate search with ``tries`` and ``threshold`` takes. Beside them as many real images, or
    all where there are fewer, walked and resized by `ffgan.dataset.Dataset` as in training; which
    ones follows from a fixed seed. ``cache``: a file for the networks' outputs of the real images;
    one of other images or networks is replaced. ``ranks``: processes that share the images
    (`ffgan.ranks.of_launcher`); all get the figures. ``progress`` is called with what is being
    measured, the images done, and all of them.

    Raises `UsageError`, `DatasetError` for fewer than `MIN_IMAGES` images, `ModelError`, and
    `ExtraError` when the networks that measure are not installed.
    """
    together = Ranks() if ranks is None else ranks

    def opened() -> tuple[Model, features.Network, str, Dataset]:
        if not MIN_IMAGES <= samples <= MAX_SAMPLES:
            raise UsageError(f"{samples} samples: give from {MIN_IMAGES} to {MAX_SAMPLES}")
        check_seed(seed + samples - 1)
        loaded = model if isinstance(model, Model) else Model.load(model)
        network = features.load(feature_network, recognition=recognition)
        identities = features.load("faces", recognition=recognition).description
        return loaded, network, identities, Dataset(directory, fit=fit, colour=colour)

    chosen, network, identities, dataset = together.each(opened)
    limit = chosen.threshold if threshold is None else threshold
    with dataset:
        count = min(samples, len(dataset))
        readable: list[bool] = []
        key = cache_key(dataset, count, network, recognition)
        together.check_same(
            {
                "the model": chosen.faces_id,
                "the hash of the images' names and sizes": dataset.hash,
                "the network": network.description,
                "what is asked for": (samples, seed, candidates, tries, limit, fit),
            }
        )
        cached = None
        if cache is not None:
            cached = together.first(lambda: read_cache(Path(cache), key))
        real = measure_together(
            real_blocks(dataset, count, readable, together),
            count,
            network,
            together,
            model=chosen,
            recognition=recognition,
            known=cached,
            progress=lambda done: progress("real images", done, count),
        )
    if cached is not None and len(cached.found) != sum(readable):
        raise met(Error(f"{cache} does not fit the images in {directory}: remove it"))
    if cache is not None and cached is None:
        together.first(lambda: write_cache(Path(cache), key, real.outputs))

    drawn: list[int] = []

    def draw() -> Iterator[tuple[int, RGB]]:
        first, step = together.number * BLOCK, together.count * BLOCK
        for place in range(first, samples, step):
            block, start = min(BLOCK, samples - place), seed + place
            if candidates:
                made = list(chosen.faces(block, start, tries=tries, threshold=threshold))
                drawn.extend(face.tries for face in made)
                yield place, np.stack([face.image for face in made])
            else:
                yield place, chosen.render(chosen.latents(block, start))

    fake = measure_together(
        draw(),
        samples,
        network,
        together,
        model=chosen,
        recognition=recognition,
        known=None,
        progress=lambda done: progress("samples", done, samples),
    )
    all_tries = list(chain(*together.every(lambda: drawn)))
    compared = together.first(lambda: compare(fake, real))
    used = sum(readable)
    accepted = {name: float(np.mean(s > limit)) for name, s in _scores(fake, real)}
    mean_score = {name: float(np.mean(s, dtype=np.float64)) for name, s in _scores(fake, real)}
    return {
        "samples": {
            "model": None if chosen.path is None else str(chosen.path),
            "model_hash": chosen.hash,
            "precision": chosen.precision,
            "count": samples,
            "first_seed": seed,
            "candidates": candidates,
        },
        "real": {
            "directory": str(dataset.directory),
            "images": len(dataset),
            "count": used,
            "broken": len(readable) - used,
            "fit": fit,
            "colour": dataset.colour,
            "list_hash": dataset.hash,
        },
        "measured_with": {
            "features": network.name,
            "network": network.description,
            "identities": identities,
            "seed": SEED,
        },
        "cautions": cautions(samples, used),
        **compared,
        "discriminator": {
            "threshold": limit,
            "mean_score": mean_score,
            "accepted": accepted,
            "tries": tries,
            "mean_tries": float(np.mean(all_tries))
            if candidates
            else expected_tries(accepted["samples"], tries),
        },
    }


def _scores(samples: Measured, real: Measured) -> list[tuple[str, Float32]]:
    return [("samples", samples.scores), ("real", real.scores)]


def expected_tries(accepted: float, tries: int) -> float:
    """Return the mean draws of a search that ends at the first accepted one or after ``tries``."""
    return (1 - (1 - accepted) ** tries) / accepted if accepted > 0 else float(tries)
