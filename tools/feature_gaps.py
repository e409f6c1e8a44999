#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which directions of a feature space generated faces differ, and at which size they do.

    python tools/feature_gaps.py MODEL DIR HELDOUT

MODEL: a model file, or `model` for the packaged one. DIR: its training images. The first table
compares the first draws, and as many training images, with held-out ones, by the network that
measures and by the one that training uses, each with images of two sizes. The second has the
principal components of the training images' features, by the network that measures: the share of
the variance that they hold, and the variance of the held-out images' and the draws' features along
them, relative to it.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np

from ffgan.dataset import Dataset
from ffgan.errors import Error
from ffgan.evaluation import metrics
from ffgan.features import imagenet
from ffgan.features.efficientnet import LITE0, LITE1
from ffgan.model import Model
from ffgan.shapes import IMAGE_SIZE
from ffgan.typing import RGB, Float32

BANDS = (0, 5), (5, 20), (20, 60), (60, 150), (150, 300)
COMPONENT_IMAGES = 3000


def some(folder: Path, count: int) -> RGB:
    with Dataset(folder) as data:
        return np.stack([data.image(i) for i in range(min(count, len(data)))])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("images", type=Path, help="those that it is trained on")
    parser.add_argument("heldout", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="images of each kind")
    options = parser.parse_args()

    model = Model.load(None if options.model == "model" else options.model)
    draws = model.render(model.latents(options.count, 0))
    held_out = some(options.heldout, options.count)
    trained_on = some(options.images, max(options.count, COMPONENT_IMAGES))

    print("| network, size | images | FD | of the means | precision | recall |")
    print("|---|---|---|---|---|---|")
    features = {}
    for variant, size in itertools.product((LITE0, LITE1), (IMAGE_SIZE, imagenet.SIZE)):
        session = imagenet.load_session(variant, size)
        x, real, fake = features[variant, size] = [
            imagenet.extract(session, images, size)
            for images in (trained_on[: options.count], held_out, draws)
        ]
        for name, found in (("training images", x), ("first draws", fake)):
            precision, recall = metrics.precision_recall(found, real)
            means = ((found.mean(axis=0) - real.mean(axis=0)) ** 2).sum()
            print(
                f"| {variant.name}, {size} | {name} "
                f"| {metrics.frechet_distance(found, real):.1f} | {means:.1f} "
                f"| {precision:.2f} | {recall:.2f} |",
                flush=True,
            )

    x, real, fake = features[LITE0, imagenet.SIZE]
    x = np.concatenate([x, imagenet.extract(imagenet.load_session(), trained_on[options.count :])])
    variances, vectors = np.linalg.eigh(np.cov(x.T, dtype=np.float64))
    variances, vectors = variances[::-1], vectors[:, ::-1]

    def along(features: Float32) -> list[float]:
        found = ((features - features.mean(axis=0)) @ vectors).var(axis=0)
        return [found[a:b].sum() / variances[a:b].sum() for a, b in BANDS]

    shares = [variances[a:b].sum() / variances.sum() for a, b in BANDS]
    print("\n| components | share of the variance | held out | first draws |\n|---|---|---|---|")
    for (a, b), share, *ratios in zip(BANDS, shares, along(real), along(fake), strict=True):
        print(f"| {a + 1} to {b} | {share:.2f} | " + " | ".join(f"{r:.2f}" for r in ratios) + " |")


if __name__ == "__main__":
    try:
        main()
    except Error as error:
        sys.exit(f"{Path(sys.argv[0]).name}: error: {error}")
