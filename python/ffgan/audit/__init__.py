# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model copies: its faces beside the images that it was trained on.

A generator that has learnt images by heart draws faces that are nearer to them than to images of
the same kind that it has never met. `audit` measures that, `table` and `ffgan.audit_page` show it.
docs/audit.md explains the tests and what they cannot see.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from ffgan import evaluation, faces, features
from ffgan.audit import hypothesis_tests as significance
from ffgan.audit.nearest_neighbours import SIDE, SPACES, Looks, Nearest, Space, look, mirror
from ffgan.dataset import Dataset, Fit, overlap, printable
from ffgan.errors import UsageError
from ffgan.evaluation import metrics
from ffgan.latent import check_seed
from ffgan.model import DEFAULT_TRIES, Model
from ffgan.typing import RGB, Float64

Progress: TypeAlias = Callable[[int, int], None]
Block: TypeAlias = tuple[int, Looks, Looks | None]
"""The place of a block's first image, its images, and the same ones mirrored."""

DEFAULT_SAMPLES: Final = 2000
MAX_SAMPLES: Final = 20_000
"""Some 300 MB: samples and as many real images are held as 54x54 pixels."""

ALPHA: Final = 1e-3
"""A test whose p value is below this counts as a sign of copying."""

QUANTILE: Final = 0.01
"""The share of the real images' distances below the threshold."""

PAIRS: Final = 18
REAL_PAIRS: Final = 6
BINS: Final = 40


@dataclass(frozen=True)
class Pair:
    """An image and the training image nearest to it, mirrored if it is so that it is nearest.

    Both are (162, 162, 3) uint8 RGB. ``name`` is a seed or a file, ``training_name`` a file.
    """

    image: RGB
    name: str
    training: RGB
    training_name: str
    mirrored: bool
    distance: float

    def described(self) -> dict[str, Any]:
        """Return what it is without the images, as JSON's types."""
        return {
            "name": self.name,
            "training": self.training_name,
            "mirrored": self.mirrored,
            "distance": self.distance,
        }


@dataclass(frozen=True)
class Audit:
    """What `audit` found: ``figures`` as JSON's types, and by space the closest pairs.

    ``pairs`` are of generated faces, ``real_pairs`` of the real images beside them.
    """

    figures: dict[str, Any]
    pairs: dict[Space, list[Pair]]
    real_pairs: dict[Space, list[Pair]]


def audit(
    model: Model | str | os.PathLike[str] | None,
    train: str | os.PathLike[str],
    heldout: str | os.PathLike[str] | None = None,
    *,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    candidates: bool = False,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    mirrored: bool = True,
    fit: Fit = "crop",
    recognition: faces.File | None = None,
    progress: evaluation.Progress = lambda what, done, total: None,
) -> Audit:
    """Compare a model's faces with the images in ``train``, beside real images from ``heldout``.

    The faces of ``samples`` seeds from ``seed`` on: their first draws, or with ``candidates`` what
    the candidate search with ``tries`` and ``threshold`` takes. All training images are compared,
    with ``mirrored`` also mirrored, as a training with flips meets them. Beside the faces stand as
    many held-out images, or all where there are fewer; without ``heldout`` as many training images,
    each compared with the others.

    Raises `UsageError`, `DatasetError` for a folder of fewer than `evaluation.MIN_IMAGES` images,
    `ModelError`, and `ExtraError` when the extra `evaluate` is not installed.
    """
    if not evaluation.MIN_IMAGES <= samples <= MAX_SAMPLES:
        raise UsageError(f"{samples} samples: give from {evaluation.MIN_IMAGES} to {MAX_SAMPLES}")
    check_seed(seed + samples - 1)
    if heldout is not None and overlap(train, heldout):
        raise UsageError(
            f"--heldout {heldout} and --train {train} are not apart: "
            "held-out images have a folder of their own"
        )
    if not isinstance(model, Model):
        model = Model.load(model)
    source = _Samples(model, samples, seed, candidates, tries, threshold)
    network = features.load("faces", recognition=recognition)
    metrics.require()

    trained = _Folder(train, fit, network, mirrored)
    held_out = None if heldout is None else _Folder(heldout, fit, network, mirrored)
    made = source.looks(network, partial(progress, "samples"))
    stream = trained.looks(len(trained.dataset), partial(progress, "training images"))
    control: dict[str, Nearest] | None = None
    if held_out is None:
        # Training images stand in for others: each is met again with the rest of its own.
        kept = _first(stream, samples)
        stream = chain(kept, stream)
        others = Looks.together([plain for _, plain, _ in kept])
        other_images = Nearest(others, np.arange(len(others)))
    else:
        kept = list(held_out.looks(samples, partial(progress, "held-out images")))
        others = Looks.together([plain for _, plain, _ in kept])
        other_images = Nearest(others)
        control = {"samples": Nearest(made), "real": Nearest(others, np.arange(len(others)))}
        for block in kept:
            for nearest in control.values():
                nearest.meet(*block)
    ours = Nearest(made)
    for block in stream:
        ours.meet(*block)
        other_images.meet(*block)

    spaces = {
        space: _compare(space, ours, other_images, control, trained.count) for space in SPACES
    }
    against = trained if held_out is None else held_out
    figures: dict[str, Any] = {
        "samples": source.description(),
        "train": trained.description(),
        "held_out": None if held_out is None else held_out.description(),
        "real_count": len(others),
        "measured_with": {
            "pixels": f"root mean square difference at {SIDE}x{SIDE} pixels, values from 0 to 1",
            "faces": f"Euclidean distance, {network.description}",
        },
        "spaces": spaces,
    }
    if held_out is not None:
        figures["held_out"]["in_training"] = int((other_images.distance["pixels"] == 0).sum())
    figures["verdict"] = _verdict(figures)
    pairs: dict[Space, list[Pair]] = {}
    real_pairs: dict[Space, list[Pair]] = {}
    for space in SPACES:
        pairs[space] = list(_closest(space, ours, source, trained, PAIRS))
        real_pairs[space] = list(_closest(space, other_images, against, trained, REAL_PAIRS))
        for name, some in (("closest", pairs[space]), ("closest_real", real_pairs[space])):
            spaces[space][name] = [pair.described() for pair in some]
    return Audit(figures, pairs, real_pairs)


class _Samples:
    """A model's faces, by their place from 0 on."""

    def __init__(
        self,
        model: Model,
        count: int,
        first_seed: int,
        candidates: bool,
        tries: int,
        threshold: float | None,
    ) -> None:
        self._model, self._count, self._first = model, count, first_seed
        self._candidates, self._tries, self._threshold = candidates, tries, threshold

    def _draw(self, first: int, count: int) -> RGB:
        seed = self._first + first
        if not self._candidates:
            return self._model.render(self._model.latents(count, seed))
        return self._model.generate(count, seed, tries=self._tries, threshold=self._threshold)

    def looks(self, network: features.Network, progress: Progress) -> Looks:
        parts = []
        for start in range(0, self._count, evaluation.BLOCK):
            count = min(evaluation.BLOCK, self._count - start)
            parts.append(look(self._draw(start, count), network))
            progress(start + count, self._count)
        return Looks.together(parts)

    def image(self, place: int) -> RGB:
        image: RGB = self._draw(place, 1)[0]
        return image

    def name(self, place: int) -> str:
        return f"seed {self._first + place}"

    def description(self) -> dict[str, Any]:
        return {
            "model": None if self._model.path is None else str(self._model.path),
            "model_hash": self._model.hash,
            "count": self._count,
            "first_seed": self._first,
            "candidates": self._candidates,
        }


class _Folder:
    """The readable images of a folder, in the order of chance of `evaluation.real_images`."""

    def __init__(
        self, directory: str | os.PathLike[str], fit: Fit, network: features.Network, mirrored: bool
    ) -> None:
        self.dataset = Dataset(Path(directory), fit=fit)
        self._network, self._mirrored = network, mirrored
        self._readable: list[bool] = []

    @property
    def count(self) -> int:
        """Images met so far."""
        return sum(self._readable)

    def looks(self, count: int, progress: Progress) -> Iterator[Block]:
        count, first = min(count, len(self.dataset)), 0
        for block in evaluation.real_images(self.dataset, count, self._readable):
            turned = look(mirror(block), self._network) if self._mirrored else None
            yield first, look(block, self._network), turned
            first += len(block)
            progress(first, count)

    def _index(self, place: int) -> int:
        looked_at = evaluation.order(self.dataset)[: len(self._readable)]
        return int(looked_at[np.flatnonzero(self._readable)[place]])

    def image(self, place: int) -> RGB:
        return self.dataset.image(self._index(place))

    def name(self, place: int) -> str:
        path = self.dataset.paths[self._index(place)]
        name: str = printable(os.fsencode(path.relative_to(self.dataset.directory)))
        return name

    def description(self) -> dict[str, Any]:
        return {
            "directory": str(self.dataset.directory),
            "images": len(self.dataset),
            "count": self.count,
            "broken": len(self._readable) - self.count,
            "fit": self.dataset.fit,
            "mirrored": self._mirrored,
            "list_hash": self.dataset.hash,
        }


def _first(blocks: Iterator[Block], count: int) -> list[Block]:
    """The blocks up to that with which there are ``count`` images, or all."""
    taken: list[Block] = []
    for block in blocks:
        taken.append(block)
        if block[0] + len(block[1]) >= count:
            break
    return taken


# --- The tests -----------------------------------------------------------------------------------


def _compare(
    space: Space,
    ours: Nearest,
    real: Nearest,
    control: dict[str, Nearest] | None,
    trained: int,
) -> dict[str, Any]:
    """The figures of one space."""
    distances, real_distances = ours.distance[space], real.distance[space]
    alone, real_alone = ours.closeness(space), real.closeness(space)
    rank = max(1, round(QUANTILE * len(real_alone)))
    threshold, limit = (float(np.sort(x)[rank - 1]) for x in (real_distances, real_alone))
    below, standing_out = (int((x < y).sum()) for x, y in ((distances, threshold), (alone, limit)))
    result: dict[str, Any] = {
        "distances": {
            "samples": _quantiles(distances),
            "real": _quantiles(real_distances),
            "histogram": _histogram(distances, real_distances),
        },
        "nearer": significance.mann_whitney(distances, real_distances)._asdict(),
        "below_threshold": {
            "threshold": threshold,
            "samples": below / len(distances),
            "real": float((real_distances < threshold).mean()),
        },
        "one_alone": {
            "threshold": limit,
            "samples": standing_out / len(alone),
            "real": float((real_alone < limit).mean()),
            "p": significance.precedence(standing_out, len(alone), rank, len(real_alone)),
        },
    }
    if control is None:
        return result
    to_others, among_others = (control[name].distance[space] for name in ("samples", "real"))
    result["nearer_to_held_out"] = significance.mann_whitney(to_others, among_others)._asdict()
    # Where both are as near, the held-out image gets it: that is no sign of copying.
    chosen = np.where(
        distances < to_others, ours.index[space], trained + control["samples"].index[space]
    )
    held_out = len(real_distances)
    expected = trained / (trained + held_out)
    share, test = significance.label_permutation(chosen, trained, held_out, seed=evaluation.SEED)
    result["training_is_nearest"] = {
        "samples": share,
        "expected": expected,
        **test._asdict(),
        "p_if_independent": significance.binomial_tail(
            round(share * len(chosen)), len(chosen), expected
        ),
        "copied": max(0.0, (share - expected) / (1 - expected)),
    }
    return result


def _closest(
    space: Space, nearest: Nearest, source: _Samples | _Folder, trained: _Folder, count: int
) -> Iterator[Pair]:
    """The pairs of the smallest distances, the closest one first."""
    for place in np.argsort(nearest.distance[space], kind="stable")[:count].tolist():
        index, mirrored = int(nearest.index[space][place]), bool(nearest.mirrored[space][place])
        training = trained.image(index)
        yield Pair(
            source.image(place),
            source.name(place),
            mirror(training[None])[0] if mirrored else training,
            trained.name(index),
            mirrored,
            float(nearest.distance[space][place]),
        )


def _quantiles(values: Float64) -> dict[str, float]:
    shares = {"minimum": 0, "percentile_1": 1, "quartile_1": 25, "median": 50, "quartile_3": 75}
    return {name: float(np.percentile(values, share)) for name, share in shares.items()}


def _histogram(samples: Float64, real: Float64) -> dict[str, list[float]]:
    """The shares of both in equal bins over all of both."""
    both = np.concatenate([samples, real])
    edges = np.linspace(both.min(), max(both.max(), both.min() + 1e-9), BINS + 1)
    return {
        "edges": edges.tolist(),
        "samples": (np.histogram(samples, edges)[0] / len(samples)).tolist(),
        "real": (np.histogram(real, edges)[0] / len(real)).tolist(),
    }


# --- What it means -------------------------------------------------------------------------------

IN_WORDS: Final[dict[Space, str]] = {"pixels": "in pixels", "faces": "by whose face it is"}


def _verdict(figures: dict[str, Any]) -> dict[str, Any]:
    """Whether it copies, and the verdict in plain words."""
    signs = []
    held_out = figures["held_out"] is not None
    real = "held-out images" if held_out else "training images, beside the others of them,"
    for space in SPACES:
        found, where = figures["spaces"][space], IN_WORDS[space]
        if held_out and (nearest := found["training_is_nearest"])["p"] < ALPHA:
            signs.append(
                f"{where}, a training image is the nearest to {nearest['samples']:.1%} of its "
                f"faces, where chance explains {nearest['expected']:.1%} (p {in_short(nearest)})"
            )
        if (alone := found["one_alone"])["p"] < ALPHA:
            signs.append(
                f"{where}, {alone['samples']:.1%} of its faces are as close to one training image "
                f"alone as only {alone['real']:.1%} of the {real} are (p {in_short(alone)})"
            )
    if signs:
        return {"copies": True, "text": f"It copies: {'; '.join(signs)}."}
    if held_out:
        text = (
            "No sign of copying: training images are the nearest ones to its faces no more often "
            "than chance may explain, and its faces do not stand out as near to single ones."
        )
        return {"copies": False, "text": text}
    text = (
        "No face stands out as a copy of a single training image. Whether its faces are nearer to "
        "training images than to others can be told only with --heldout."
    )
    return {"copies": False, "text": text}


def in_short(test: dict[str, Any]) -> str:
    """Return the p value of a test as text."""
    p: float = test["p"]
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("e-0", "e-")


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures of one space for people: a label, the samples', the real images'."""
    distances, below, alone = found["distances"], found["below_threshold"], found["one_alone"]
    lines = []
    if (nearest := found.get("training_is_nearest")) is not None:
        independent = {"p": nearest["p_if_independent"]}
        lines += [
            ("a training image is the nearest real one", f"{nearest['samples']:.1%}", ""),
            ("  by chance", f"{nearest['expected']:.1%}", ""),
            ("  p value", in_short(nearest), ""),
            ("  p value, were faces independent", in_short(independent), ""),
        ]
    lines += [
        (
            f"close to one training image alone (share below {alone['threshold']:.3f})",
            f"{alone['samples']:.1%}",
            f"{alone['real']:.1%}",
        ),
        ("  p value", in_short(alone), ""),
        (
            "distance to the nearest training image, median",
            f"{distances['samples']['median']:.4f}",
            f"{distances['real']['median']:.4f}",
        ),
        (
            f"  share below {below['threshold']:.4f}",
            f"{below['samples']:.1%}",
            f"{below['real']:.1%}",
        ),
        ("  smaller than the real ones': z (Mann-Whitney)", f"{found['nearer']['z']:.1f}", ""),
    ]
    if (control := found.get("nearer_to_held_out")) is not None:
        lines.append(("  the same to held-out images, for comparison", f"{control['z']:.1f}", ""))
    return lines


def table(figures: dict[str, Any]) -> str:
    """Return what `audit` found as lines of text for people."""
    samples, train, held_out = figures["samples"], figures["train"], figures["held_out"]
    last = samples["first_seed"] + samples["count"] - 1
    which = "first draws" if not samples["candidates"] else "candidates taken"
    mirrored = ", and mirrored" if train["mirrored"] else ""
    lines = [
        f"samples   {samples['count']} {which} of seeds {samples['first_seed']} to {last}, "
        f"model {samples['model_hash'][:12]}",
        f"training  {train['count']} images in {train['directory']}{mirrored} "
        f"({train['fit']}, {train['broken']} broken)",
    ]
    if held_out is None:
        real = "training"
        lines.append(
            f"beside    {figures['real_count']} of the training images, each without itself"
        )
    else:
        real = "held out"
        lines.append(
            f"held out  {held_out['count']} of {held_out['images']} images in "
            f"{held_out['directory']} ({held_out['broken']} broken)"
        )
        if held_out["in_training"]:
            lines.append(
                f"warning: {held_out['in_training']} of the held-out images are training images, "
                "which hides copying"
            )
    for space in SPACES:
        shown = [
            (f"{space}: {figures['measured_with'][space]}", "", ""),
            ("", "samples", real),
            *rows(figures["spaces"][space]),
        ]
        widths = [max(len(row[column]) for row in shown[1:]) for column in range(3)]
        lines += [""] + [
            f"{label:<{widths[0]}}  {a:>{widths[1]}}  {b:>{widths[2]}}".rstrip()
            for label, a, b in shown
        ]
    return "\n".join([*lines, "", figures["verdict"]["text"]])
