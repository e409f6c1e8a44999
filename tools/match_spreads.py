#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Stretch a generator's latent space so that its faces vary as much as real ones.

    ffgan attributes faces --out real.csv
    ffgan attributes --model runs/NAME/model.safetensors --samples 2000 --out generated.csv
    python tools/match_spreads.py runs/NAME/model.safetensors generated.csv real.csv \
        --of yaw --of pitch --out matched.safetensors

A generator G draws heads that are turned less than those it has seen, although it can turn them
further: it takes a longer way along a direction of its latents. The new generator is G(A z), with a
symmetric A. An attribute is taken for a' z and a rest that does not depend on z (a by ridge
regression over the faces of the table), so that with latents of the covariance C = A A its variance
is a' C a and that of the rest. Of all C for which these variances are the real ones, the nearest to
I is taken: that of the least Kullback-Leibler divergence of N(0, C) from N(0, I), whose inverse is
I minus a weighted sum of the a a'. A is folded into the weights of the first layer, so the file is
an ordinary model, to be trained on (`ffgan train --init model:matched.safetensors`) or packaged.

Attributes are no linear functions, so measure the new model's faces; `--of NAME=FACTOR` asks for
the real spread times FACTOR.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ffgan.attributes import ATTRIBUTES
from ffgan.control import regression
from ffgan.errors import Error, UsageError
from ffgan.latent import noise
from ffgan.model import Model, by_network, save_model
from ffgan.model.directions import directions
from ffgan.synthesis.cells import read_rows

LARGEST_FACTOR = 2.0
STEPS = 100
PRECISE = 1e-9
"""Relative error of the variances at which the search ends."""

SAME_DIRECTION = 0.8
"""Least cosine at which a direction keeps the name that it had."""


def factor_of(text: str) -> tuple[str, float]:
    """``yaw=1.05`` as a name and a factor; raises UsageError."""
    name, _, factor = text.partition("=")
    if name not in ATTRIBUTES or ATTRIBUTES[name].kind == "choice":
        raise UsageError(f"--of {text}: give an attribute that is a number, such as yaw")
    try:
        times = float(factor or 1)
    except ValueError:
        times = 0.0
    if not 0 < times <= LARGEST_FACTOR:
        raise UsageError(f"--of {text}: give a factor up to {LARGEST_FACTOR:g}: {name}=1.05")
    return name, times


def measured(path: Path, names: list[str]) -> tuple[list[str], np.ndarray]:
    """The images of a table, and these attributes (n, k), of the faces that have all of them."""
    table, columns = read_rows(path)
    missing = [name for name in ("image", *names) if name not in columns]
    if missing:
        raise UsageError(f"{path} has no column {missing[0]}: give a table of ffgan attributes")
    rows = [row for row in table if all(row[name] for name in names)]
    if len(rows) < 2:
        raise UsageError(f"{path} has no faces with all of {', '.join(names)}")
    try:
        return [row["image"] for row in rows], np.array(
            [[float(row[name]) for name in names] for row in rows]
        )
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def latents_of(images: list[str], path: Path) -> np.ndarray:
    """The noise (n, 100) that generated faces are of, by their names: ``seed 7``."""
    seeds = [image.removeprefix("seed ") for image in images]
    if not all(seed.isdecimal() for seed in seeds):
        raise UsageError(f"{path}: not a table of ffgan attributes --model MODEL --samples N")
    return np.stack([noise(int(seed)) for seed in seeds]).astype(np.float64)


def covariance(slopes: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """The C (d, d) nearest to I for which slopes (k, d) have a' C a = variances (k,).

    By Newton's method on the convex dual: C is the inverse of I - sum of l a a', for the l that
    maximise log det(I - sum of l a a') + sum of l v. Raises UsageError where there is none.
    """
    identity = np.eye(slopes.shape[1])

    def inverse_of(multipliers: np.ndarray) -> np.ndarray:
        inverse: np.ndarray = identity - (slopes.T * multipliers) @ slopes
        return inverse

    def objective(multipliers: np.ndarray) -> float:
        inverse = inverse_of(multipliers)
        if np.linalg.eigvalsh(inverse)[0] <= 0:
            return -np.inf
        return float(np.linalg.slogdet(inverse)[1] + multipliers @ variances)

    multipliers = np.zeros(len(slopes))
    for _ in range(STEPS):
        found: np.ndarray = np.linalg.inv(inverse_of(multipliers))
        products = slopes @ found @ slopes.T
        ascent = variances - np.diag(products)
        if (np.abs(ascent) <= PRECISE * variances).all():
            return found
        try:
            step = np.linalg.solve(products**2, ascent)
        except np.linalg.LinAlgError:
            break
        here = objective(multipliers)
        while objective(multipliers + step) < here and np.abs(step).max() > PRECISE:
            step /= 2
        multipliers = multipliers + step
    raise UsageError("the attributes are too much alike to have such spreads: leave one out")


def root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric positive root of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    found: np.ndarray = (vectors * np.sqrt(values)) @ vectors.T
    return found


def stretching(latents: np.ndarray, drawn: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The symmetric A (100, 100) with which values (n, k) of faces have the deviations (k,).

    Raises UsageError where there is none.
    """
    scale = drawn.std(axis=0)
    constant, slopes = regression.linear(latents, drawn / scale)
    rest = (drawn / scale - constant - latents @ slopes.T).var(axis=0)
    variances = (wanted / scale) ** 2 - rest
    if (variances <= 0).any():
        raise UsageError("what does not follow the latents varies more than is asked: ask for more")
    return root(covariance(slopes, variances))


def folded(model: Model, matrix: np.ndarray) -> dict[str, np.ndarray]:
    """The generator's parameters, its first layer's latents multiplied by ``matrix``."""
    generator = dict(by_network(model.parameters)["generator"])
    weight = np.tensordot(matrix.T, generator["conv1.weight"].astype(np.float64), 1)
    generator["conv1.weight"] = np.ascontiguousarray(weight, np.float32)
    return generator


def renamed(old: Model, generator: dict[str, np.ndarray], matrix: np.ndarray) -> str:
    """The names of the old model's directions, at those of the new one that are most like them."""
    vectors = np.stack([one.vector for one in directions(generator, {})]).astype(np.float64)
    names = {}
    for one in old.directions():
        moved = np.linalg.solve(matrix, one.vector)
        cosines = vectors @ (moved / np.linalg.norm(moved))
        best = int(np.argmax(np.abs(cosines)))
        named = one.low is not None or one.high is not None
        if named and abs(cosines[best]) >= SAME_DIRECTION and best not in names:
            low, high = (one.low, one.high) if cosines[best] > 0 else (one.high, one.low)
            names[best] = {"index": best, "low": low, "high": high}
    return json.dumps([names[index] for index in sorted(names)])


def match(model: Path, generated: Path, real: Path, of: list[str], out: Path) -> None:
    factors = dict(factor_of(text) for text in of)
    names = list(factors)
    old = Model.load(model)
    images, drawn = measured(generated, names)
    deviations = measured(real, names)[1].std(axis=0)
    wanted = deviations * list(factors.values())
    matrix = stretching(latents_of(images, generated), drawn, wanted)
    print(f"{'standard deviation':<20} {'real':>9} {'drawn':>9} {'asked':>9}")
    for name, *numbers in zip(names, deviations, drawn.std(axis=0), wanted, strict=True):
        print(f"{name:<20} " + " ".join(f"{number:>9.4g}" for number in numbers))
    values = np.linalg.eigvalsh(matrix)[::-1]
    changed = " ".join(f"{value:.3f}" for value in values if abs(value - 1) > 1e-6)
    print(f"lengths of latents along {len(names)} directions, times: {changed}")
    # Not the attributes, which are fitted to the old latents.
    metadata = {name: text for name, text in old.metadata.items() if name != "attributes"}
    metadata["matched_spreads"] = json.dumps(factors)
    generator = folded(old, matrix)
    metadata["directions"] = renamed(old, generator, matrix)
    save_model(out, generator, by_network(old.parameters)["discriminator"], metadata)
    print(f"{out}: written; fit its attributes with ffgan fit-attributes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("generated", type=Path, help="table (CSV) of its faces by ffgan attributes")
    parser.add_argument("real", type=Path, help="another one, of images")
    parser.add_argument(
        "--of",
        action="append",
        required=True,
        metavar="NAME[=FACTOR]",
        help="an attribute whose standard deviation is to be the real one, times FACTOR (1)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the model to be written")
    given = parser.parse_args()
    try:
        match(given.model, given.generated, given.real, given.of, given.out)
    except (Error, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
