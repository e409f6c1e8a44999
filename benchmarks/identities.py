# SPDX-License-Identifier: GPL-3.0-or-later
"""How far pictures of one person, and of two, are apart by dlib's face recognition network.

    python -m ffgan gen --identities 100 --images 20 --seed 0 --out people
    python benchmarks/identities.py people [--faces DIR] [--json OUT]

FOLDER has a folder of pictures for each person, in the training framing: 162x162 pixels, as
`ffgan gen` makes them and `ffgan extract` cuts them out of photographs. All pictures of one person
are compared with each other (genuine pairs), and with those of all others (impostors). The same
with each second picture mirrored: embeddings by which the pictures were not chosen. ``--faces``
adds what any two faces of a folder are apart, such as the training images. Published for the
network: 99.13 % of the pairs of LFW told right, with the threshold 0.6 (dlib's
examples/dnn_face_recognition_ex.cpp and dnn_metric_learning_on_images_ex.cpp).

Prints tables in Markdown. docs/identities.md shows a result. Needs the extra `faces`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ffgan import images
from ffgan.attributes.recognition import embeddings
from ffgan.faces import SAME_PERSON
from ffgan.shapes import IMAGE_SHAPE

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BINS = np.arange(0.0, 1.2001, 0.1)
PUBLISHED = 0.9938
BLOCK = 64


def pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in (".png", ".jpg", ".webp"))


def embedded(paths: Iterable[Path], mirrored: bool) -> np.ndarray:
    """The embeddings of pictures, every second one mirrored if asked."""
    found, block = [], []
    for number, path in enumerate(paths):
        image = images.decode(path.read_bytes())
        if image.shape != IMAGE_SHAPE:
            raise SystemExit(f"{path} is {image.shape[1]}x{image.shape[0]}, not 162x162")
        block.append(image[:, ::-1] if mirrored and number % 2 else image)
        if len(block) == BLOCK:
            found.append(embeddings(np.stack(block)))
            block = []
    if block:
        found.append(embeddings(np.stack(block)))
    return np.concatenate(found).astype(np.float64)


def distances(codes: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distances of genuine and of impostor pairs."""
    genuine, impostors = [], []
    for i in range(len(codes) - 1):
        apart = np.linalg.norm(codes[i + 1 :] - codes[i], axis=1)
        same = person[i + 1 :] == person[i]
        genuine.append(apart[same])
        impostors.append(apart[~same])
    return np.concatenate(genuine), np.concatenate(impostors)


def equal_error(genuine: np.ndarray, impostors: np.ndarray) -> tuple[float, float]:
    """The rate at which as many genuine pairs are refused as impostors are taken, and where."""
    genuine, impostors = np.sort(genuine), np.sort(impostors)
    limits = np.linspace(0, 1.5, 3001)
    refused = 1 - np.searchsorted(genuine, limits, "right") / len(genuine)
    taken = np.searchsorted(impostors, limits, "right") / len(impostors)
    at = int(np.argmin(np.abs(refused - taken)))
    return float((refused[at] + taken[at]) / 2), float(limits[at])


def described(genuine: np.ndarray, impostors: np.ndarray) -> dict[str, Any]:
    rate, limit = equal_error(genuine, impostors)
    right = (genuine < SAME_PERSON).mean(), (impostors > SAME_PERSON).mean()
    return {
        "genuine": {str(p): round(float(np.percentile(genuine, p)), 3) for p in PERCENTILES},
        "impostors": {str(p): round(float(np.percentile(impostors, p)), 3) for p in PERCENTILES},
        "genuine_pairs": len(genuine),
        "impostor_pairs": len(impostors),
        "genuine_below": float(right[0]),
        "impostors_above": float(right[1]),
        "right": float((right[0] + right[1]) / 2),
        "equal_error_rate": rate,
        "equal_error_at": limit,
        "histogram": {
            "edges": [round(float(edge), 1) for edge in BINS],
            "genuine": (np.histogram(genuine, BINS)[0] / len(genuine)).round(4).tolist(),
            "impostors": (np.histogram(impostors, BINS)[0] / len(impostors)).round(4).tolist(),
        },
    }


def show(title: str, found: dict[str, Any]) -> None:
    print(
        f"\n{title}: {found['genuine_pairs']:,} genuine pairs, {found['impostor_pairs']:,} others"
    )
    print("\n| percentile | " + " | ".join(map(str, PERCENTILES)) + " |")
    print("|---" * (len(PERCENTILES) + 1) + "|")
    for kind in ("genuine", "impostors"):
        print(f"| {kind} | " + " | ".join(f"{one:.2f}" for one in found[kind].values()) + " |")
    print("\n| distance | genuine | impostors |\n|---|---:|---:|")
    edges = found["histogram"]["edges"]
    for i, low in enumerate(edges[:-1]):
        shares = [found["histogram"][kind][i] for kind in ("genuine", "impostors")]
        print(
            f"| {low:.1f} to {edges[i + 1]:.1f} | " + " | ".join(f"{s:.1%}" for s in shares) + " |"
        )
    print(
        f"\ngenuine below {SAME_PERSON}: {found['genuine_below']:.2%}; impostors above: "
        f"{found['impostors_above']:.2%}; right at {SAME_PERSON}, both kinds alike: "
        f"{found['right']:.2%} (published, LFW: {PUBLISHED:.2%}); equal error rate "
        f"{found['equal_error_rate']:.2%} at {found['equal_error_at']:.3f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=Path, metavar="DIR", help="a folder of other people")
    parser.add_argument("--most", type=int, default=1000, help="faces of --faces (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the numbers there")
    arguments = parser.parse_args()
    os.nice(10)
    people = [pictures(one) for one in sorted(arguments.folder.iterdir()) if one.is_dir()]
    person = np.repeat(np.arange(len(people)), [len(one) for one in people])
    paths = [path for one in people for path in one]
    print(f"{len(people)} people, {len(paths)} pictures")
    result = {}
    for title, mirrored in (("as they are", False), ("every second one mirrored", True)):
        codes = embedded(paths, mirrored)
        result[title] = described(*distances(codes, person))
        show(title, result[title])
    if arguments.faces is not None:
        codes = embedded(pictures(arguments.faces)[: arguments.most], False)
        apart = distances(codes, np.arange(len(codes)))[1]
        share = float((apart < SAME_PERSON).mean())
        result["faces"] = {"pairs": len(apart), "below": share}
        print(
            f"\ntwo faces of {arguments.faces.name}: median {np.median(apart):.2f}, below "
            f"{SAME_PERSON}: {share:.2%}"
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
