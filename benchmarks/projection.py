# SPDX-License-Identifier: GPL-3.0-or-later
"""How near projected faces come: by kind of face, by start and by parts of the loss.

    python benchmarks/projection.py --faces DIR [--training DIR] [--count 20] [--own 10] [--steps N]
        [--tables kinds parts starts]

``--faces``: faces of 162x162 that the model has not seen, such as those of
tools/synthesize_faces.py from seed 500000; ``--training``: those that it was trained on. The
model's own faces, first draws from seed 700000, have a known latent. Prints three tables in
Markdown: each kind of face with the defaults; the unseen ones with each part of the loss; and with
each start, among them the codes of the warm start, from the principal components of ``--training``.
With ``--picture FILE`` it writes the first unseen faces with what was found.

The identity is measured by the network that also is a part of the loss. So there is a second
opinion where it was left out, and one by EfficientNet-Lite0's features, which take no part: their
cosine between the face and what was found, beside that between different unseen faces.

Seconds are of this machine, with all of its cores. Needs the extras `faces`, `imagenet` and
`evaluate`.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ffgan import Model, faces, features, images
from ffgan.latent import noise
from ffgan.projection import WEIGHTS, Projection, project
from ffgan.projection.starts import encoder
from ffgan.training.warm_start import PrincipalComponents, principal_components
from ffgan.typing import RGB, Float32

OWN = 700_000
PCA_IMAGES = 4000
OTHER_WEIGHTS = ((1, 0, 0), (1, 0.1, 0), (1, 0, 0.5), (1, 0.1, 0.5), (1, 0.3, 0.5), (0, 0.1, 0.2))
TABLES = ("kinds", "parts", "starts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--training", type=Path)
    parser.add_argument("--count", type=int, default=20, help="faces of each kind")
    parser.add_argument("--own", type=int, default=10, help="the model's own faces")
    parser.add_argument("--compared", type=int, default=10, help="faces by part and by start")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=TABLES)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    model = Model.load(options.model)
    began = time.perf_counter()
    encoder(model, lambda what, done, total: None)
    print(f"faces to start from, once for a model: {time.perf_counter() - began:.1f} s\n")

    unseen = read(options.faces, options.count)
    latents = np.stack([noise(OWN + i) for i in range(options.own)])
    if "kinds" in options.tables:
        table_of_kinds(options, model, unseen, latents)
    if "parts" in options.tables:
        table_of_parts(options, model, unseen[: options.compared])
    if "starts" in options.tables:
        table_of_starts(options, model, unseen[: options.compared])


def read(folder: Path, count: int) -> RGB:
    """The first faces of a folder."""
    files = itertools.islice(sorted(folder.glob("*.[jp][pn]g")), count)
    return np.stack([images.decode(file.read_bytes()) for file in files])


def found(
    targets: RGB,
    model: Model,
    steps: int,
    parts: Mapping[str, float] | None = None,
    starts: list[dict[str, Float32]] | None = None,
) -> Iterator[Projection]:
    for i, target in enumerate(targets):
        yield project(
            target,
            model=model,
            steps=steps,
            parts=parts,
            starts=None if starts is None else starts[i],
        )


def table_of_kinds(
    options: argparse.Namespace, model: Model, unseen: RGB, latents: Float32
) -> None:
    kinds = {"unseen": unseen, "the model's own": model.render(latents)}
    if options.training is not None:
        kinds["of the training"] = read(options.training, options.count)
    head("faces")
    for name, targets in kinds.items():
        results = list(found(targets, model, options.steps))
        row(name, results)
        if name == "unseen" and options.picture is not None:
            show(results, options.picture)
        if name == "the model's own":
            errors = [
                float(np.linalg.norm(one.latent - latent))
                for one, latent in zip(results, latents, strict=True)
            ]
            own = f"{np.median(errors):.2f}, largest {max(errors):.2f}, of a length of 10"
    print(f"\ndistance of the model's own faces' latents from what was found, median {own}")
    apart = cosines(unseen, np.roll(unseen, 1, axis=0))
    print(f"cosine by Lite0 between different unseen faces: {apart.mean():.3f}\n")


def table_of_parts(options: argparse.Namespace, model: Model, targets: RGB) -> None:
    rows = [tuple(WEIGHTS.values()), *OTHER_WEIGHTS]
    head("weights: pyramid, perceptual, identity")
    for weights in rows:
        name = ", ".join(f"{weight:g}" for weight in weights)
        parts = dict(zip(WEIGHTS, weights, strict=True))
        row(name, list(found(targets, model, options.steps, parts)))
    print()


def table_of_starts(options: argparse.Namespace, model: Model, targets: RGB) -> None:
    known = encoder(model, lambda what, done, total: None)
    own = [known.starts(target) for target in targets]
    chosen = {name: [{name: starts[name]} for starts in own] for name in own[0]}
    chosen["average face"] = [{"average": np.zeros(100, np.float32)} for _ in targets]
    if options.training is not None:
        codes = components(options.training).codes(targets)
        chosen["warm start's codes"] = [{"codes": code} for code in codes]
    chosen["all, the defaults"] = own
    head("start")
    for name, starts in chosen.items():
        row(name, list(found(targets, model, options.steps, starts=starts)))


class Faces:
    """A folder's faces, as `principal_components` takes them."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*.[jp][pn]g"))[:PCA_IMAGES]

    def __len__(self) -> int:
        return len(self._files)

    def image(self, index: int) -> RGB:
        return images.decode(self._files[index].read_bytes())


def components(folder: Path) -> PrincipalComponents:
    return principal_components(Faces(folder), seed=0, flip=True)


def head(what: str) -> None:
    print(f"| {what} | number | pixels apart | pyramid | perceptual | identity, median |", end="")
    print(" below 0.6 | cosine by Lite0 | length of the latent | seconds |\n|---|" + "---:|" * 9)


def row(name: str, results: list[Projection]) -> None:
    targets, images_found = (
        np.stack([one.target for one in results]),
        np.stack([one.image for one in results]),
    )
    pixels = np.abs(targets.astype(int) - images_found).mean()
    identities = np.array([one.distances.identity for one in results], np.float64)
    values = [
        f"{len(results)}",
        f"{pixels:.1f}",
        f"{np.mean([one.distances.pyramid for one in results]):.4f}",
        f"{np.mean([one.distances.perceptual or np.nan for one in results]):.3f}",
        f"{np.median(identities):.3f}",
        f"{100 * (identities < faces.SAME_PERSON).mean():.0f} %",
        f"{cosines(targets, images_found).mean():.3f}",
        f"{np.mean([np.linalg.norm(one.latent) for one in results]):.1f}",
        f"{np.median([one.seconds for one in results]):.1f}",
    ]
    print(f"| {name} | " + " | ".join(values) + " |", flush=True)


def cosines(some: RGB, others: RGB) -> Float32:
    """Of the features of EfficientNet-Lite0, which takes no part in the loss."""
    network = features.load("imagenet")
    one, other = network.extract(some), network.extract(others)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    result: Float32 = (one * other).sum(axis=1) / lengths
    return result


def show(results: list[Projection], path: Path) -> None:
    """The first faces above what was found for them."""
    some = results[:6]
    rows = [one.target for one in some] + [one.image for one in some]
    images.save(path, images.grid(np.stack(rows), len(some)), {"software": "ffgan"}, quality=88)


if __name__ == "__main__":
    main()
