#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Frechet distance, precision and recall of a model come from.

    python tools/distance_parts.py runs/NAME DIR HELDOUT

Beside the first draws of a run's averaged generator: draws and held-out images with their borders
cut off, with the same noise, or compressed anew; and, where the run has codes of images
(--warm-start, --anchor-weight), its training images rebuilt from their codes, so that nothing is
left to chance; these with the fine or the coarse detail, or the colour, of the images themselves,
and the other way round. Each row is compared with as many held-out images, changed in the same way
where the row says "both".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from ffgan import features
from ffgan.dataset import Batch, Dataset
from ffgan.errors import Error
from ffgan.evaluation import metrics
from ffgan.model import Model, by_network
from ffgan.training import inputs
from ffgan.training.plan import resolve
from ffgan.typing import RGB, Float32

BATCH = 50
SIGMAS = 1, 2, 4, 8  # pixels; where coarse ends and fine begins
NOISE = 1, 3  # levels
CUTS = 3, 8, 24  # pixels


def codes_of(run: Path, directory: Path, images: RGB) -> Float32 | None:
    """The codes (n, 100) that a run has for the first images; None where it has none."""
    plan = resolve(directory, {"runs": run.parent, "name": run.name, "init": "resume"})
    assert plan.checkpoint is not None  # or resolve would have said so
    with Dataset(directory) as data:
        codes = inputs.codes(plan.settings, data)
    codes.restore(by_network(plan.checkpoint.tensors))
    if not codes.tensors():
        return None
    places = np.arange(len(images))
    return codes.pairs(Batch(images, places, np.zeros(len(images), bool)))[1]


def each(images: RGB, change: Callable[[RGB], RGB]) -> RGB:
    return np.stack([change(image) for image in images])


def coarse(image: RGB, sigma: float) -> Float32:
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma)


def mixed(low: RGB, high: RGB, sigma: float) -> RGB:
    """The coarse detail of one set of images and the fine detail of another."""
    rows = (coarse(a, sigma) + b - coarse(b, sigma) for a, b in zip(low, high, strict=True))
    return np.stack([np.clip(np.rint(row), 0, 255).astype(np.uint8) for row in rows])


def coloured(luma: RGB, chroma: RGB) -> RGB:
    """The luma of one set of images and the chroma of another."""
    result = []
    for a, b in zip(luma, chroma, strict=True):
        light, colour = (cv2.cvtColor(x, cv2.COLOR_RGB2YCrCb) for x in (a, b))
        light[..., 1:] = colour[..., 1:]
        result.append(cv2.cvtColor(light, cv2.COLOR_YCrCb2RGB))
    return np.stack(result)


def noisy(images: RGB, deviation: float, seed: int) -> RGB:
    noise = np.random.default_rng(seed).standard_normal(images.shape, np.float32)
    return np.clip(np.rint(images + deviation * noise), 0, 255).astype(np.uint8)


def compressed(image: RGB) -> RGB:
    _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    return np.ascontiguousarray(cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1])


def rows(
    model: Model, run: Path, directory: Path, x: RGB, held_out: RGB
) -> Iterator[tuple[str, RGB, RGB]]:
    """What each row is called, its images, and those that they are compared with."""
    draws = model.render(model.latents(len(x), 0))
    yield "training images", x, held_out
    yield "first draws", draws, held_out
    for pixels in CUTS:
        inner = np.s_[:, pixels:-pixels, pixels:-pixels]
        yield (
            f"first draws, both without {pixels} pixels at each border",
            draws[inner],
            held_out[inner],
        )
    for deviation in NOISE:
        yield (
            f"first draws, both with noise of {deviation}",
            noisy(draws, deviation, 1),
            noisy(held_out, deviation, 2),
        )
    yield "first draws, both JPEG 93", each(draws, compressed), each(held_out, compressed)
    codes = codes_of(run, directory, x)
    if codes is None:
        print(f"{run} has no codes of images: the other rows need them", file=sys.stderr)
        return
    rebuilt = model.render(codes)
    yield "rebuilt: of the codes of training images", rebuilt, held_out
    for sigma in SIGMAS:
        yield (
            f"rebuilt, with the images' detail below {sigma} pixels",
            mixed(rebuilt, x, sigma),
            held_out,
        )
    for sigma in SIGMAS:
        yield (
            f"images, with the rebuilt ones' detail below {sigma} pixels",
            mixed(x, rebuilt, sigma),
            held_out,
        )
    yield "rebuilt, with the images' colour", coloured(rebuilt, x), held_out
    yield "images, with the rebuilt ones' colour", coloured(x, rebuilt), held_out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path, help="those that it is trained on")
    parser.add_argument("heldout", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="images of each kind")
    options = parser.parse_args()

    network = features.load("imagenet")

    def extract(images: RGB) -> Float32:
        parts = range(0, len(images), BATCH)
        return np.concatenate([network.extract(images[i : i + BATCH]) for i in parts])

    def some(folder: Path) -> RGB:
        with Dataset(folder) as data:
            return np.stack([data.image(i) for i in range(options.count)])

    model = Model.load(options.run / "model.safetensors")
    x, held_out = some(options.images), some(options.heldout)
    real = extract(held_out)
    print("| images | FD | precision | recall | variance |\n|---|---|---|---|---|")
    for name, images, others in rows(model, options.run, options.images, x, held_out):
        fake = extract(np.ascontiguousarray(images))
        beside = real if others is held_out else extract(np.ascontiguousarray(others))
        precision, recall = metrics.precision_recall(fake, beside)
        variance = fake.var(axis=0).sum() / beside.var(axis=0).sum()
        print(
            f"| {name} | {metrics.frechet_distance(fake, beside):.1f} | {precision:.2f} "
            f"| {recall:.2f} | {variance:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    try:
        main()
    except Error as error:
        sys.exit(f"{Path(sys.argv[0]).name}: error: {error}")
