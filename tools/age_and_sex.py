#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How old the faces of a model look beside real ones, and how many look like women.

By the network that face-api brings (https://github.com/vladmandic/face-api, MIT licence): its two
files model/age_gender_model.bin and model/age_gender_model-weights_manifest.json lie in NETWORK. It
guesses from looks, as people do, and errs: by 4.5 years in the mean and in 5 % of the sexes, its
authors say. Both sets are looked at alike, so it is the differences that say something.

    python tools/age_and_sex.py NETWORK --real DIR [--model M] [--samples N]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ffgan import evaluation
from ffgan.dataset import Dataset
from ffgan.errors import Error, ModelError
from ffgan.model import Model

MANIFEST = "age_gender_model-weights_manifest.json"
SIDE = 112
MEAN = (122.782, 117.001, 104.298)
AGES = (0, 13, 20, 30, 40, 50, 60, 120)
BATCH = 50

Tensors = dict[str, np.ndarray]


def read_network(folder: Path) -> Tensors:
    """The parameters by name: float32, or bytes that stand for even steps from a minimum."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))[0]
        content = b"".join((folder / path).read_bytes() for path in manifest["paths"])
        return unpack(manifest["weights"], content)
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{folder} does not hold face-api's network: {error}") from error


def unpack(weights: list[dict[str, Any]], content: bytes) -> Tensors:
    """The parameters that a manifest lists, from the bytes that follow each other."""
    tensors, position = {}, 0
    for entry in weights:
        step = entry.get("quantization")
        kind = np.dtype(step["dtype"] if step else entry["dtype"])
        size = int(np.prod(entry["shape"]))
        values = np.frombuffer(content, kind, size, position).astype(np.float32)
        position += size * kind.itemsize
        if step:
            values = values * np.float32(step["scale"]) + np.float32(step["min"])
        tensors[entry["name"]] = values.reshape(entry["shape"])
    return tensors


def windows(
    x: np.ndarray, stride: int, outside: float = 0.0
) -> Iterator[tuple[int, int, np.ndarray]]:
    """What lies at each of the 3x3 places of a window, over images x (n, h, w, c).

    Padded as TensorFlow does: around the image, or, in steps of 2, below and on the right.
    """
    before = 2 - stride
    rows, columns = x.shape[1] // stride, x.shape[2] // stride
    margin = (before, 1)
    padded = np.pad(x, ((0, 0), margin, margin, (0, 0)), constant_values=outside)
    for i, j in itertools.product(range(3), repeat=2):
        end = i + stride * rows, j + stride * columns
        yield i, j, padded[:, i : end[0] : stride, j : end[1] : stride]


class AgeAndSex:
    """A small Xception (Chollet 2017): separable convolutions with shortcuts."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def separable(self, x: np.ndarray, name: str) -> np.ndarray:
        channels = self.tensors[f"{name}/depthwise_filter"][..., 0]
        x = sum(part * channels[i, j] for i, j, part in windows(x, 1))
        return x @ self.tensors[f"{name}/pointwise_filter"][0, 0] + self.tensors[f"{name}/bias"]

    def reduction(self, x: np.ndarray, name: str, *, first: bool = False) -> np.ndarray:
        inner = x if first else relu(x)
        inner = self.separable(inner, f"{name}/separable_conv0")
        inner = self.separable(relu(inner), f"{name}/separable_conv1")
        inner = np.max([part for _, _, part in windows(inner, 2, -np.inf)], axis=0)
        filters = self.tensors[f"{name}/expansion_conv/filters"][0, 0]
        return inner + x[:, ::2, ::2] @ filters + self.tensors[f"{name}/expansion_conv/bias"]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ages in years (n,) and whether women (n,) of images (n, h, w, 3) uint8 RGB."""
        t = self.tensors
        small = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images]
        x = (np.stack(small).astype(np.float32) - np.float32(MEAN)) / np.float32(255)
        filters = t["entry_flow/conv_in/filters"]
        x = sum(part @ filters[i, j] for i, j, part in windows(x, 2))
        x = relu(x + t["entry_flow/conv_in/bias"])
        x = self.reduction(x, "entry_flow/reduction_block_0", first=True)
        x = self.reduction(x, "entry_flow/reduction_block_1")
        for block in range(2):
            inner = x
            for i in range(3):
                name = f"middle_flow/main_block_{block}/separable_conv{i}"
                inner = self.separable(relu(inner), name)
            x = x + inner
        x = self.reduction(x, "exit_flow/reduction_block")
        x = relu(self.separable(x, "exit_flow/separable_conv")).mean(axis=(1, 2))
        age = x @ t["fc/age/weights"] + t["fc/age/bias"]
        man, woman = (x @ t["fc/gender/weights"] + t["fc/gender/bias"]).T
        return age[:, 0], woman > man


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def measure(network: AgeAndSex, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Ages and women of all images of the blocks."""
    ages, women = zip(*map(network, blocks), strict=True)
    return np.concatenate(ages), np.concatenate(women)


def draws(model: Model, count: int) -> Iterator[np.ndarray]:
    """The first draws of the seeds 0, 1, ..., as `evaluate` takes them."""
    for start in range(0, count, BATCH):
        yield model.render(model.latents(min(BATCH, count - start), start))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("network", type=Path, help="the folder with the network's two files")
    parser.add_argument("--real", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--model", help="a model's file or name (default: the packaged one)")
    parser.add_argument("--samples", type=int, default=2000, help="of each (default: 2000)")
    given = parser.parse_args()
    try:
        network = AgeAndSex(read_network(given.network))
        model = Model.load(given.model)
        with Dataset(given.real) as dataset:
            real = measure(network, evaluation.real_images(dataset, given.samples, []))
    except Error as error:
        sys.exit(f"error: {error}")
    made = measure(network, draws(model, given.samples))
    print(f"{'':22}{'generated':>10}{'real':>8}")

    def row(name: str, share: Callable[[np.ndarray, np.ndarray], float], form: str) -> None:
        print(f"{name:22}{share(*made):10{form}}{share(*real):8{form}}")

    row("look like women", lambda _, women: women.mean(), ".3f")
    row("age, median", lambda ages, _: float(np.median(ages)), ".1f")
    row("age, deviation", lambda ages, _: ages.std(), ".1f")
    for low, high in itertools.pairwise(AGES):
        name = f"from {low} to {high - 1}" if high < AGES[-1] else f"from {low}"
        row(name, lambda ages, _, a=low, b=high: np.mean((ages >= a) & (ages < b)), ".3f")
    print(f"of {len(made[0])} and {len(real[0])} faces")


if __name__ == "__main__":
    main()
