# SPDX-License-Identifier: GPL-3.0-or-later
r"""Choose training images by their attributes: a list of paths with given shares, or weights.

    ffgan attributes faces --out faces.csv
    python tools/compose_faces.py faces.csv --shares shares.json --count 30000 \
        --folder faces --out faces.txt
    ffgan train faces.txt

The file has an object for each attribute, of the shares of its groups, and `together`, those whose
shares hold in each other's groups as well:

    {"together": ["age=20", "gender"],
     "age=20": {"below 20": 0.1, "20 and more": 0.9},
     "gender": {"female": 0.5, "male": 0.5}}

Images are left out of which an attribute could not be measured, of several faces, and less sharp
than --sharpness. The others' probabilities are raked to the shares (iterative proportional fitting,
Deming and Stephan 1940), none above 1: no image is taken twice. Shares that the images cannot fill
are missed; the table at the end says by how much. The choice follows from the names of the files.

With --weights none is left out, and those of rare groups come more often instead:

    python tools/compose_faces.py faces.csv --shares shares.json --folder faces \
        --weights weights.csv
    ffgan train faces --image-weights weights.csv

The weights are raked in the same way, from --least to --most times the mean one; an image of the
folder that was not measured, or in which no face was found, has the mean one. What is said at the
end, as how many images with equal weights they count, is the square of the weights' sum, by the sum
of their squares: where shares are asked for that the images do not have together, a few images
stand for all, and a generator learns those few.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ffgan.dataset import ImageFiles
from ffgan.errors import Error, UsageError
from ffgan.synthesis.cells import Axis, read_rows

ROUNDS = 500


class Group(NamedTuple):
    """A group of images: its name, the share asked for, and which of the images are in it."""

    name: str
    share: float
    inside: np.ndarray


class Shares:
    """The shares of a file: ``axes`` by name, each with its groups' shares in their order."""

    def __init__(self, text: str) -> None:
        try:
            given = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"the shares are not JSON: {error}") from None
        if not isinstance(given, dict):
            raise UsageError("the shares are no JSON object: give one of attributes' groups")
        self.together: list[str] = given.pop("together", [])
        self.axes = {name: Axis.of(name) for name in given}
        self.asked: dict[str, list[float]] = {}
        for name, axis in self.axes.items():
            titles = [axis.title(place) for place in range(axis.bins)]
            if not isinstance(given[name], dict) or given[name].keys() != set(titles):
                raise UsageError(f"{name} has the groups {', '.join(titles)}: give a share of each")
            self.asked[name] = [given[name][title] for title in titles]
            if not math.isclose(sum(self.asked[name]), 1, abs_tol=1e-6):
                raise UsageError(f"the shares of {name} do not add up to 1")

    def groups(self, rows: list[dict[str, str]]) -> list[Group]:
        """Return all groups whose shares are to hold: of each axis, or of those together."""
        alone = {}
        for name, axis in self.axes.items():
            place = [axis.bin_of(number(row, axis.attribute.column)) for row in rows]
            inside = np.array([-1 if each is None else each for each in place])
            alone[name] = [
                Group(axis.title(k), share, inside == k) for k, share in enumerate(self.asked[name])
            ]
        single = [one for name, some in alone.items() if name not in self.together for one in some]
        if not self.together:
            return single
        cells = itertools.product(*(alone[name] for name in self.together))
        return single + [
            Group(
                ", ".join(part.name for part in parts),
                math.prod(part.share for part in parts),
                np.logical_and.reduce([part.inside for part in parts]),
            )
            for parts in cells
        ]

    def measured(self, row: dict[str, str]) -> bool:
        return all(math.isfinite(number(row, axis.attribute.column)) for axis in self.axes.values())


def number(row: dict[str, str], column: str) -> float:
    if column not in row:
        raise UsageError(f"the table has no column {column}: make it with ffgan attributes")
    try:
        return float(row[column] or "nan")
    except ValueError:
        raise UsageError(f"{row[column]!r} is no {column}: give a table of attributes") from None


def raked(
    groups: list[Group], known: np.ndarray, count: int, least: float = 0, most: float = 1
) -> np.ndarray:
    """Return how often each image is taken, so that the groups' sums are as near as they can be.

    Each of the ``known`` at least ``least`` and at most ``most`` times: from 0 to 1 these are
    probabilities.
    """
    chosen: np.ndarray = known * min(1.0, count / known.sum())
    for _ in range(ROUNDS):
        for group in groups:
            reached = chosen[group.inside].sum()
            if reached > 0:
                chosen[group.inside] *= group.share * count / reached
        chosen = np.clip(chosen, least * known, most)
    return chosen


def choose(names: list[str], chosen: np.ndarray, count: int) -> list[int]:
    """Return ``count`` images, by their probabilities and numbers that follow from their names."""
    places = []
    for name, probability in zip(names, chosen, strict=True):
        digest = hashlib.sha256(name.encode()).digest()
        uniform = (int.from_bytes(digest[:8], "big") + 1) / 2**64
        places.append(uniform / probability if probability > 0 else math.inf)
    order = sorted(range(len(names)), key=places.__getitem__)[:count]
    return sorted(i for i in order if places[i] < math.inf)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", type=Path, help="of ffgan attributes")
    parser.add_argument("--folder", required=True, type=Path, nargs="+", help="of each table")
    parser.add_argument("--shares", required=True, type=Path)
    parser.add_argument("--count", type=int, help="images of the list")
    parser.add_argument("--sharpness", type=float, default=0.0, help="at least (default: any)")
    parser.add_argument("--least", type=float, default=0.25, help="smallest weight (default: 0.25)")
    parser.add_argument("--most", type=float, default=4.0, help="largest weight (default: 4)")
    result = parser.add_mutually_exclusive_group(required=True)
    result.add_argument("--out", type=Path, help="a list, with --count")
    result.add_argument("--weights", type=Path, help="a table of weights, of one folder")
    given = parser.parse_args()
    if (given.count is None) != (given.out is None):
        raise SystemExit("--count belongs to --out: give both, or --weights alone")
    if not 0 <= given.least <= 1 <= given.most:
        raise SystemExit("--least is from 0 to 1, and --most from 1 on")
    if given.weights and len(given.folder) > 1:
        raise SystemExit("--weights are of the images of one --folder")
    if len(given.folder) != len(given.tables):
        raise SystemExit("give a --folder for each table")
    try:
        compose(given)
    except (Error, OSError) as error:
        raise SystemExit(str(error)) from error


def compose(given: argparse.Namespace) -> None:
    rows, names, paths = [], [], []
    for table, folder in zip(given.tables, given.folder, strict=True):
        read, columns = read_rows(table)
        if "image" not in columns:
            raise UsageError(f"{table} has no column image: make it with ffgan attributes")
        for row in read:
            rows.append(row)
            names.append(f"{folder.name}/{row['image']}")
            paths.append((folder / row["image"]).resolve())
    shares = Shares(given.shares.read_text())
    faces = Counter(names)
    known = np.array(
        [
            faces[name] == 1
            and shares.measured(row)
            and number(row, "sharpness") >= given.sharpness
            for name, row in zip(names, rows, strict=True)
        ]
    )
    if not known.any():
        raise UsageError("no image is measured, sharp, and of one face")
    groups = shares.groups(rows)
    if given.out:
        chosen = choose(names, raked(groups, known, given.count), given.count)
        taken = np.bincount(chosen, minlength=len(rows)).astype(float)  # how often
        given.out.write_text("".join(f"{paths[i]}\n" for i in chosen))
        print(f"{len(chosen)} of {len(rows)} images, {known.sum()} of which can be chosen")
    else:
        taken = raked(groups, known, int(known.sum()), given.least, given.most)
        found = {paths[i]: taken[i] for i in np.flatnonzero(known)}
        listed = [
            name.decode(errors="surrogateescape") for name in ImageFiles(given.folder[0]).names
        ]
        weights = {name: found.get((given.folder[0] / name).resolve(), 1.0) for name in listed}
        with given.weights.open("w", newline="", errors="surrogateescape") as file:
            table = csv.writer(file)
            table.writerow(["image", "weight"])
            table.writerows([name, f"{weight:.4f}"] for name, weight in weights.items())
        print(f"{len(weights)} images, {known.sum()} of them by their attributes")
        print(f"largest weight {taken.max():.2f}, smallest {taken[known].min():.2f}")
        equal = taken.sum() ** 2 / (taken**2).sum()
        print(f"they count as {equal:.0f} images with equal weights")
    print(f"{'group':<30} {'asked':>7} {'of all':>7} {'chosen':>7}")
    for group in groups:
        of_all, reached = group.inside[known].mean(), taken[group.inside].sum() / taken.sum()
        print(f"{group.name:<30} {group.share:>7.1%} {of_all:>7.1%} {reached:>7.1%}")


if __name__ == "__main__":
    main()
