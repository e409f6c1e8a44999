#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits what tells glasses (ffgan.attributes.glasses), and measures it on faces it has not seen.

    python tools/fit_glasses.py TRAIN [HELDOUT]

TRAIN holds the training images 000000.jpg and so on, HELDOUT images made by
tools/synthesize_faces.py --first 500400 --count 200. Of both, those that wear glasses were found by
looking at the pictures: their numbers stand here. Prints the weights for the module.
"""

from __future__ import annotations

import argparse
import base64
import textwrap
from pathlib import Path

import numpy as np

from ffgan import images
from ffgan.attributes.glasses import features, mirrored

# Of the 7,790 training images the 8th and every 19th from there on, 400 of them; by their places.
FIRST, EVERY, LOOKED_AT = 7, 19, 400
GLASSES = (
    *(5, 30, 47, 48, 58, 61, 66, 68, 69, 71, 76, 83, 84, 88, 91, 92, 94, 106, 109, 111, 124, 129),
    *(132, 138, 141, 150, 159, 175, 178, 186, 227, 241, 242, 244, 245, 260, 268, 269, 274, 278),
    *(279, 281, 284, 295, 297, 309, 312, 328, 342, 357, 368, 378, 379, 381, 383, 390, 392, 393),
    *(396, 397, 399),
)
# Of the 200 held-out images.
HELDOUT_GLASSES = (
    *(17, 22, 34, 36, 39, 41, 43, 48, 54, 66, 76, 77, 80, 81, 87, 95, 101, 106, 109, 122, 129),
    *(133, 138, 143, 144, 145, 147, 158, 160, 172, 178, 180, 184, 191, 193),
)
PENALTY = 3.0
STEPS = 25


def read(paths: list[Path]) -> np.ndarray:
    """The features of the images and of their mirror images, added up: (n, features)."""
    found = [features(images.decode(path.read_bytes())) for path in paths]
    return np.stack([(one + mirrored(one)).ravel() for one in found]).astype(np.float64)


def labels(count: int, glasses: tuple[int, ...]) -> np.ndarray:
    wears = np.zeros(count)
    wears[list(glasses)] = 1
    return wears


def fit(x: np.ndarray, wears: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and constant of a logistic regression with a penalty on the squares, by Newton."""
    mean = x.mean(axis=0)
    left, size, right = np.linalg.svd(x - mean, full_matrices=False)
    inputs = np.column_stack([left * size, np.ones(len(x))])
    penalty = np.append(np.full(len(size), PENALTY), 1e-6)
    weights = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (p - wears) + penalty * weights
        curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs + np.diag(penalty)
        weights -= np.linalg.solve(curvature, gradient)
    direct = right.T @ weights[:-1]
    return direct, float(weights[-1] - mean @ direct)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("train", type=Path, help="the training images")
    parser.add_argument("heldout", type=Path, nargs="?", help="200 others")
    given = parser.parse_args()
    train = sorted(given.train.glob("*.jpg"))[FIRST::EVERY][:LOOKED_AT]
    weights, bias = fit(read(train), labels(len(train), GLASSES))
    if given.heldout is not None:
        paths = [given.heldout / f"{number}.jpg" for number in range(500_400, 500_600)]
        score = read(paths) @ weights + bias
        wears = labels(len(paths), HELDOUT_GLASSES) == 1
        pairs = score[wears][:, None] - score[~wears][None]
        print(
            f"held out: {np.mean((score > 0) == wears):.1%} right, "
            f"{np.sum(score[wears] > 0)} of {wears.sum()} glasses found, "
            f"{np.sum(score[~wears] > 0)} of {np.sum(~wears)} others taken for some; "
            f"area under the curve {np.mean(pairs > 0):.3f}"
        )
    # Weights of the features of one image, by which it and its mirror image count alike.
    one = weights.reshape(6, 14, 8)
    both = (one + mirrored(one)).astype(np.float16)
    for line in textwrap.wrap(base64.b64encode(both.tobytes()).decode(), 88):
        print(f'    "{line}"')
    print(f"_BIAS = {bias:.4f}")


if __name__ == "__main__":
    main()
