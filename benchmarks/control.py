# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what docs/control.md says of faces with asked-for attributes.

    python -m benchmarks.control --faces 1000 --real HELDOUT
    python -m benchmarks.control --only age,yaw --faces 200

Each attribute is asked for alone: of face i the value that another free face has, as far as the
model's range goes. "measured" is by the program's own measurement, which the search steers by. Two
others took no part in it: "judged" is the same measurement of the picture moved by one pixel and
stored as JPEG of quality 75, "one view" a single view, not averaged, of that one's mirror image;
beside each, how often it agrees with the first on free faces, within the same tolerance.

Leakage is in standard deviations per standard deviation moved: "slope" is what others do on the
whole (regression through 0), "change" the mean size of what they do, which has the noise of the
measurement in it. Identity is the distance of dlib's embeddings from the seed's free face.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import ffgan
from ffgan import attributes, control, faces, features
from ffgan.attributes import ATTRIBUTES, Attribute, landmarks
from ffgan.attributes.recognition import embeddings
from ffgan.control import Constraints, ControlledFace
from ffgan.dataset import Dataset
from ffgan.evaluation import metrics, real_images
from ffgan.faces.pose import pose
from ffgan.model import Model

FIRST_SEED = 1_000_000
SAME = faces.SAME_PERSON
TOGETHER = ("age", "gender", "yaw", "smile")
"""Asked for at once for the Frechet distance."""


@dataclass
class Free:
    """The free faces of the seeds, and their attributes by column."""

    images: np.ndarray
    latents: np.ndarray
    codes: np.ndarray
    table: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.control",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--only", help="attributes, with commas between (default: all)")
    parser.add_argument("--real", type=Path, help="folder of real images, for Frechet distances")
    parser.add_argument("--skip-methods", action="store_true", help="without the other directions")
    given = parser.parse_args()
    model = Model.load(given.model)
    fitted = control.attribute_map(model)
    names = given.only.split(",") if given.only else first_of_each(fitted)
    free = free_faces(model, given.faces)
    accuracy, leaking, methods = [], [], []
    for name in names:
        one = ATTRIBUTES[name]
        wanted = values(one, free, fitted)
        started = time.perf_counter()
        made = list(asked_for(model, name, wanted))
        seconds = time.perf_counter() - started
        accuracy.append(reached(one, wanted, made, free, 1000 * seconds / len(made)))
        leaking.append(leakage(one, made, free, fitted))
        print(name, f"{seconds:.0f} s", flush=True)
        if not given.skip_methods:
            methods.append(other_methods(one, made, free, model, fitted))
    print_table("Values", accuracy)
    print_table("Leakage and identity", leaking)
    if methods:
        print_table("Methods: mean and largest slope of leakage; identity, moved alike", methods)
    print_table("Yaw by the five points of another shape predictor", five_points(model, free))
    if given.real:
        print_table("Frechet distance to real images", quality(model, free, fitted, given.real))


def first_of_each(fitted: control.AttributeMap) -> list[str]:
    """The first attribute of each column of the map."""
    names: dict[str, str] = {}
    for one in ATTRIBUTES.values():
        names.setdefault(one.column, one.name)
    return [names[column] for column in fitted.columns]


def free_faces(model: Model, count: int) -> Free:
    found = list(model.faces(count, FIRST_SEED))
    images = np.stack([one.image for one in found])
    latents = np.stack([one.latent for one in found])
    return Free(images, latents, embeddings(images), attributes.measure(images))


def values(one: Attribute, free: Free, fitted: control.AttributeMap) -> list[Any]:
    """What is asked of each face: what another one has, within the range; words for a choice."""
    draws = np.random.default_rng(len(one.name))
    found = free.table[one.column][draws.permutation(len(free.table))]
    if one.kind == "choice":
        return list(free.table[one.name][draws.permutation(len(free.table))])
    low, high = fitted.limits[one.column]
    inside = found[(found >= low) & (found <= high)]
    return [float(f"{value:.4g}") for value in draws.choice(inside, len(found))]


def asked_for(model: Model, name: str, wanted: list[Any]) -> Iterator[ControlledFace]:
    seeds = range(FIRST_SEED, FIRST_SEED + len(wanted))
    requests = ((s, Constraints.of({name: v})) for s, v in zip(seeds, wanted, strict=True))
    return control.draw(model, requests)


def judged(images: np.ndarray, one: Attribute, *, single: bool) -> np.ndarray:
    """Measured on the picture moved by a pixel, as a JPEG; ``single``: on one view, mirrored."""
    others = []
    for image in images:
        moved = np.pad(image, ((1, 0), (1, 0), (0, 0)), "edge")[:-1, :-1]
        seen = moved[:, ::-1] if single else moved
        bgr = np.ascontiguousarray(seen[:, :, ::-1])
        code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
        others.append(cv2.imdecode(code, cv2.IMREAD_COLOR)[:, :, ::-1])
    table = attributes.measure(np.stack(others), [one.name], robust=not single)
    numbers = table[one.column].astype(np.float64)
    return -numbers if single and one.name in MIRRORED else numbers


MIRRORED = ("yaw", "roll", "light")


def reached(
    one: Attribute, wanted: list[Any], made: list[ControlledFace], free: Free, each: float
) -> dict[str, str]:
    images = np.stack([face.image for face in made])
    own = attributes.measure(images, [one.name])[one.column].astype(np.float64)
    before = free.table[one.column].astype(np.float64)

    def right(numbers: np.ndarray, aims: Any) -> np.ndarray:
        if one.kind == "choice":
            words = np.array(one.choices)[np.searchsorted(one.bounds, numbers, side="right")]
            return np.asarray(words == np.array(aims))
        return np.asarray(np.abs(numbers - np.array(aims)) <= one.tolerance)

    kept: Any = free.table[one.name] if one.kind == "choice" else before
    row = {
        "asked for": f"{one.name}, within {one.tolerance:g}",
        "measured": share(right(own, wanted)),
    }
    for title, single in (("judged", False), ("one view", True)):
        row[title] = share(right(judged(images, one, single=single), wanted))
        row[f"{title}, free"] = share(right(judged(free.images, one, single=single), kept))
    if one.kind == "choice":
        row["90 % within"] = ""
    else:
        row["90 % within"] = f"{np.nanquantile(np.abs(own - np.array(wanted)), 0.9):.3g}"
    return row | {
        "steps": f"{np.mean([face.steps for face in made]):.2f}",
        "tries": f"{np.mean([face.tries for face in made]):.2f}",
        "ms a face": f"{each:.0f}",
    }


def leakage(
    one: Attribute, made: list[ControlledFace], free: Free, fitted: control.AttributeMap
) -> dict[str, str]:
    images = np.stack([face.image for face in made])
    slopes, changes = leaks(one, images, free, fitted)
    worst = sorted(slopes, key=lambda column: -abs(slopes[column]))[:2]
    most = max(changes, key=changes.__getitem__)
    apart = np.linalg.norm(embeddings(images) - free.codes, axis=1)
    return {
        "attribute": one.name,
        "largest slopes": ", ".join(f"{column} {slopes[column]:+.2f}" for column in worst),
        "mean slope": f"{np.mean(np.abs(list(slopes.values()))):.2f}",
        "mean change": f"{np.mean(list(changes.values())):.2f}",
        "largest change": f"{most} {changes[most]:.2f}",
        "identity": f"{np.median(apart):.2f}",
        f"below {SAME}": share(apart < SAME),
    }


def leaks(
    one: Attribute, images: np.ndarray, free: Free, fitted: control.AttributeMap
) -> tuple[dict[str, float], dict[str, float]]:
    """By other column: slope and mean change, per standard deviation that ``one`` moved."""
    table = attributes.measure(images)
    before = fitted.standardised(np.stack([free.table[c] for c in fitted.columns], axis=1))
    after = fitted.standardised(np.stack([table[c] for c in fitted.columns], axis=1))
    change = after - before
    place = fitted.columns.index(one.column)
    moved = change[:, place]
    slopes, changes = {}, {}
    for i, column in enumerate(fitted.columns):
        if i != place:
            known = np.isfinite(change[:, i]) & np.isfinite(moved)
            x, y = moved[known], change[known, i]
            slopes[column] = float(x @ y / (x @ x))
            changes[column] = float(np.abs(y).sum() / np.abs(x).sum())
    return slopes, changes


def other_methods(
    one: Attribute,
    made: list[ControlledFace],
    free: Free,
    model: Model,
    fitted: control.AttributeMap,
) -> dict[str, str]:
    """Leakage and identity beside plain directions, along which each face moves by the latent's
    linear prediction of the same change."""
    place = fitted.columns.index(one.column)
    slope = fitted.linear[place]
    closed = [d.vector.astype(np.float64) for d in model.directions()]
    nearest = closed[int(np.argmax([abs(slope @ vector) for vector in closed]))]
    before = fitted.standardised(np.stack([free.table[c] for c in fitted.columns], axis=1))
    ours = np.stack([face.image for face in made])
    table = attributes.measure(ours)
    after = fitted.standardised(np.stack([table[c] for c in fitted.columns], axis=1))
    amount = (after - before)[:, [place]]
    row = {"attribute": one.name}
    for method, vector in (("SeFa", nearest), ("linear", slope), ("ours", None)):
        images = ours
        if vector is not None:
            moves = amount * vector / (vector @ slope)
            images = model.render((free.latents + moves).astype(np.float32))
        slopes, _ = leaks(one, images, free, fitted)
        sizes = np.abs(list(slopes.values()))
        apart = np.linalg.norm(embeddings(images) - free.codes, axis=1)
        row[method] = f"{sizes.mean():.2f} {sizes.max():.2f}"
        row[f"{method}, below {SAME}"] = share(apart < SAME)
    return row


def five_points(model: Model, free: Free) -> list[dict[str, str]]:
    """Yaw by the program's five-point pose, brought to our degrees by a line over free faces."""

    def rough(images: np.ndarray) -> np.ndarray:
        points = [landmarks.find(image, 5, robust=False) for image in images]
        return np.array([pose(one).yaw for one in points])

    line = np.polyfit(rough(free.images), free.table["yaw"], 1)
    spread = float(np.std(np.polyval(line, rough(free.images)) - free.table["yaw"]))
    rows = []
    for wanted in (-12.0, 0.0, 12.0):
        count = min(len(free.images), 200)
        made = control.faces(model, count, FIRST_SEED, Constraints.of({"yaw": wanted}))
        found = np.polyval(line, rough(np.stack([face.image for face in made])))
        rows.append(
            {
                "yaw asked for": f"{wanted:g}",
                "mean found": f"{found.mean():.1f}",
                "standard deviation": f"{found.std():.1f}",
                "of free faces": f"{spread:.1f}",
            }
        )
    return rows


def quality(
    model: Model, free: Free, fitted: control.AttributeMap, folder: Path
) -> list[dict[str, str]]:
    """Frechet distances to real images: free faces, and with what real ones have asked for."""
    network = features.load("imagenet")
    count = len(free.images)
    with Dataset(folder) as dataset:
        real = np.concatenate(list(real_images(dataset, min(count, len(dataset)), [])))
    far = network.extract(real)
    table = attributes.measure(real)
    plain = metrics.frechet_distance(network.extract(free.images), far)
    rows = [{"targets of": "none: free faces", "Frechet": f"{plain:.2f}", "of free": "1.00"}]
    for names in (*((name,) for name in TOGETHER), TOGETHER):
        requests = []
        for i, row in enumerate(table):
            wanted: dict[str, Any] = {}
            for one in (ATTRIBUTES[name] for name in names):
                low, high = fitted.limits[one.column]
                if one.kind == "choice":
                    wanted[one.name] = str(row[one.name])
                else:
                    wanted[one.name] = float(f"{min(max(row[one.column], low), high):.4g}")
            requests.append((FIRST_SEED + i, Constraints.of(wanted)))
        made = np.stack([face.image for face in control.draw(model, requests)])
        distance = metrics.frechet_distance(network.extract(made), far)
        rows.append(
            {
                "targets of": " ".join(names),
                "Frechet": f"{distance:.2f}",
                "of free": f"{distance / plain:.2f}",
            }
        )
    return rows


def share(right: np.ndarray) -> str:
    return f"{100 * float(np.mean(right)):.1f} %"


def print_table(title: str, rows: list[dict[str, str]]) -> None:
    """As Markdown, for docs/control.md."""
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")


if __name__ == "__main__":
    print(f"ffgan {ffgan.__version__}")
    main()
