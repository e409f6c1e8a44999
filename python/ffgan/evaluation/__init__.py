# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a model is: its samples beside real images, measured in numbers.

`evaluate` does it for a model and a folder, `compare` for two sets that were measured, `quick` for
two arrays of images and often. docs/evaluation.md explains the figures. Whatever is random follows
from fixed seeds, so the same images give the same figures.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ffgan import faces, features, storage
from ffgan.dataset import Dataset, Fit
from ffgan.errors import DatasetError, Error, UsageError
from ffgan.evaluation import demographics as groups
from ffgan.evaluation import metrics
from ffgan.latent import check_seed
from ffgan.model import DEFAULT_TRIES, Model
from ffgan.typing import RGB, Float32

Progress: TypeAlias = Callable[[str, int, int], None]

DEFAULT_SAMPLES: Final = 2000
DEFAULT_FEATURES: Final[features.Name] = "imagenet"
MIN_IMAGES: Final = 16
MAX_SAMPLES: Final = 1_000_000
PATCHES: Final = 65536
BLOCK: Final = 64  # images in memory at a time
SEED: Final = 0
"""The seed of the choice of real images, of patches and of directions."""

_CACHE_FORMAT: Final = "ffgan real images 1"


@dataclass(frozen=True)
class Seen:
    """What networks make of n images.

    ``features`` (n, d) and ``embeddings`` (n, 128) float32; ``found`` (n,) bool: whether dlib's
    detector sees a face; ``tone`` and ``yaw`` (n,) float32: `groups.Looks` of it.
    """

    features: Float32
    embeddings: Float32
    found: NDArray[np.bool_]
    tone: Float32
    yaw: Float32


_SEEN: Final = tuple(field.name for field in fields(Seen))


@dataclass(frozen=True)
class Measured:
    """What `measure` keeps of a set of n images, instead of the images.

    ``patches`` by the side of a pyramid's level, each (k, 3, 7, 7) float32, `PATCHES` in all;
    ``sharpness``: the mean square of the finest level; ``scores`` (n,) float32: the
    discriminator's, empty without one.
    """

    seen: Seen
    patches: dict[int, Float32]
    sharpness: float
    scores: Float32


def measure(
    blocks: Iterable[RGB],
    count: int,
    network: features.Network,
    *,
    model: Model | None = None,
    recognition: faces.File | None = None,
    known: Seen | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Measure at most ``count`` images that come in ``blocks`` (k, h, w, 3) uint8 RGB of one size.

    With a ``model`` its discriminator judges them too. ``recognition``: dlib's face recognition
    network, else that of the extra. ``known``: what needs no computing. Raises `ffgan.Error`.
    """
    seen: list[Seen] = []
    scores = [np.empty(0, np.float32)]
    patches: dict[int, list[Float32]] = {}
    energy, values, done = 0.0, 0, 0
    ends = np.arange(count + 1) * PATCHES // count  # spread evenly
    for block in blocks:
        if known is None:
            seen.append(_look(block, network, recognition))
        if model is not None:
            scores.append(model.score(block))
        pyramid = metrics.laplacian_pyramid(block)
        energy += float(np.sum(np.square(pyramid[0]), dtype=np.float64))
        values += pyramid[0].size
        for level in pyramid:
            side = level.shape[2]
            for image in range(len(block)):
                place = done + image
                share = int(ends[place + 1] - ends[place])
                some = metrics.patches(level, image, share, (SEED, side, place))
                patches.setdefault(side, []).append(some)
        done += len(block)
        progress(done)
    if known is None:
        known = Seen(*(np.concatenate([getattr(part, name) for part in seen]) for name in _SEEN))
    together = {side: np.concatenate(parts) for side, parts in patches.items()}
    return Measured(known, together, energy / values, np.concatenate(scores))


def _look(block: RGB, network: features.Network, recognition: faces.File | None) -> Seen:
    embeddings = features.load("faces", recognition=recognition).extract(block)
    found = faces.detect_all(block)
    looks = [groups.look(image, boxes) for image, boxes in zip(block, found, strict=True)]
    return Seen(
        embeddings if network.name == "faces" else network.extract(block),
        embeddings,
        np.array([len(boxes) > 0 for boxes in found]),
        np.array([look.tone for look in looks], np.float32),
        np.array([look.yaw for look in looks], np.float32),
    )


def compare(samples: Measured, real: Measured) -> dict[str, Any]:
    """Return the figures of samples beside real images, as JSON's types.

    The features of both are of one network, and the images of one size.
    """
    kernel = metrics.kernel_distance(samples.seen.features, real.seen.features)
    precision, recall = metrics.precision_recall(samples.seen.features, real.seen.features)
    wasserstein = {}
    for side, ours in samples.patches.items():
        theirs = real.patches[side]
        common = min(len(ours), len(theirs))
        wasserstein[str(side)] = metrics.sliced_wasserstein(
            ours[:common], theirs[:common], (SEED, side)
        )
    wasserstein["mean"] = float(np.mean(list(wasserstein.values())))
    sides = {"samples": samples, "real": real}
    return {
        "frechet_distance": metrics.frechet_distance(samples.seen.features, real.seen.features),
        "kernel_distance": kernel._asdict(),
        "precision": precision,
        "recall": recall,
        "sliced_wasserstein": wasserstein,
        "sharpness": {
            **{name: side.sharpness for name, side in sides.items()},
            "ratio": _ratio(samples.sharpness, real.sharpness),
        },
        "faces_found": {name: float(side.seen.found.mean()) for name, side in sides.items()},
        "identities": {
            name: metrics.spread(side.seen.embeddings, faces.SAME_PERSON)._asdict()
            for name, side in sides.items()
        },
        "groups": {
            name: groups.shares(side.seen.tone, side.seen.yaw) for name, side in sides.items()
        },
    }


def evaluate(
    model: Model | str | os.PathLike[str] | None,
    directory: str | os.PathLike[str],
    *,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    candidates: bool = False,
    tries: int = DEFAULT_TRIES,
    threshold: float | None = None,
    feature_network: str = DEFAULT_FEATURES,
    recognition: faces.File | None = None,
    fit: Fit = "crop",
    cache: str | os.PathLike[str] | None = None,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Return the figures of a model's faces beside the images in ``directory``, as JSON's types.

    The faces of ``samples`` seeds from ``seed`` on: their first draws, or with ``candidates`` what
    the candidate search with ``tries`` and ``threshold`` takes. Beside them as many real images, or
    all where there are fewer, walked and resized by `ffgan.dataset.Dataset` as in training; which
    ones follows from a fixed seed. ``cache``: a file for what networks make of the real images; one
    of other images or networks is replaced. ``progress`` is told what is being measured, images
    done and in all.

    Raises `UsageError`, `DatasetError` for fewer than `MIN_IMAGES` images, `ModelError`, and
    `ExtraError` when the networks that measure are not installed.
    """
    if not MIN_IMAGES <= samples <= MAX_SAMPLES:
        raise UsageError(f"{samples} samples: give from {MIN_IMAGES} to {MAX_SAMPLES}")
    check_seed(seed + samples - 1)
    if not isinstance(model, Model):
        model = Model.load(model)
    limit = model.threshold if threshold is None else threshold
    network = features.load(feature_network, recognition=recognition)
    described = {
        "features": network.name,
        "network": network.description,
        "identities": features.load("faces", recognition=recognition).description,
        "seed": SEED,
    }
    with Dataset(Path(directory), fit=fit) as dataset:
        count = min(samples, len(dataset))
        readable: list[bool] = []
        key = _cache_key(dataset, count, network, recognition)
        cached = None if cache is None else _read_cache(Path(cache), key)
        real = measure(
            real_images(dataset, count, readable),
            count,
            network,
            model=model,
            recognition=recognition,
            known=cached,
            progress=lambda done: progress("real images", done, count),
        )
    if cached is not None and len(cached.found) != sum(readable):
        raise Error(f"{cache} does not fit the images in {directory}: remove it")
    if cache is not None and cached is None:
        _write_cache(Path(cache), key, real.seen)

    drawn: list[int] = []

    def draw() -> Iterator[RGB]:
        for start in range(seed, seed + samples, BLOCK):
            block = min(BLOCK, seed + samples - start)
            if candidates:
                made = list(model.faces(block, start, tries=tries, threshold=threshold))
                drawn.extend(face.tries for face in made)
                yield np.stack([face.image for face in made])
            else:
                yield model.render(model.latents(block, start))

    fake = measure(
        draw(),
        samples,
        network,
        model=model,
        recognition=recognition,
        progress=lambda done: progress("samples", done, samples),
    )
    accepted = {name: float(np.mean(s > limit)) for name, s in _scores(fake, real)}
    mean_score = {name: float(np.mean(s, dtype=np.float64)) for name, s in _scores(fake, real)}
    return {
        "samples": {
            "model": None if model.path is None else str(model.path),
            "model_hash": model.hash,
            "count": samples,
            "first_seed": seed,
            "candidates": candidates,
        },
        "real": {
            "directory": str(dataset.directory),
            "images": len(dataset),
            "count": sum(readable),
            "broken": len(readable) - sum(readable),
            "fit": fit,
            "list_hash": dataset.hash,
        },
        "measured_with": described,
        **compare(fake, real),
        "discriminator": {
            "threshold": limit,
            "mean_score": mean_score,
            "accepted": accepted,
            "tries": tries,
            "mean_tries": float(np.mean(drawn))
            if candidates
            else expected_tries(accepted["samples"], tries),
        },
    }


def _scores(samples: Measured, real: Measured) -> list[tuple[str, Float32]]:
    return [("samples", samples.scores), ("real", real.scores)]


def expected_tries(accepted: float, tries: int) -> float:
    """Return the mean draws of a search that ends at the first accepted one or after ``tries``."""
    return (1 - (1 - accepted) ** tries) / accepted if accepted > 0 else float(tries)


@dataclass
class Reference:
    """What `quick` needs of a set of images: measure the real ones once with `reference`."""

    network: features.Network
    vectors: Float32
    sharpness: float


def reference(real: RGB, *, feature_network: str = DEFAULT_FEATURES) -> Reference:
    """Measure real images (n, h, w, 3) uint8 RGB for `quick`; raises `ffgan.Error`."""
    return summarise(_blocks(_enough(real)), features.load(feature_network))


def summarise(blocks: Iterable[RGB], network: features.Network) -> Reference:
    """Measure images that come in ``blocks`` (k, h, w, 3) uint8 RGB, at least one of them."""
    vectors: list[Float32] = []
    energy, values = 0.0, 0
    for block in blocks:
        vectors.append(network.extract(block))
        finest = metrics.laplacian_pyramid(block)[0]
        energy += float(np.sum(np.square(finest), dtype=np.float64))
        values += finest.size
    return Reference(network, np.concatenate(vectors), energy / values)


def quick(samples: RGB, real: RGB | Reference) -> dict[str, float | None]:
    """Return a few figures of samples (n, h, w, 3) uint8 RGB beside real images, fast.

    ``frechet_distance``, ``kernel_distance`` and its ``kernel_distance_error``, and ``sharpness``,
    the ratio to the real images'. 500 of each are enough to follow a training, at some 8 seconds
    of one core; with a `Reference` the real images are not measured again. Compare Frechet
    distances only for the same numbers. Raises `ffgan.Error`.
    """
    known = real if isinstance(real, Reference) else reference(real)
    return quick_figures(summarise(_blocks(_enough(samples)), known.network), known)


def quick_figures(samples: Reference, real: Reference) -> dict[str, float | None]:
    """Return the figures of `quick` for two sets that `summarise` measured with one network."""
    kernel = metrics.kernel_distance(samples.vectors, real.vectors)
    return {
        "frechet_distance": metrics.frechet_distance(samples.vectors, real.vectors),
        "kernel_distance": kernel.value,
        "kernel_distance_error": kernel.standard_error,
        "sharpness": _ratio(samples.sharpness, real.sharpness),
    }


def _ratio(ours: float, theirs: float) -> float | None:
    return ours / theirs if theirs else None


def _enough(images: RGB) -> RGB:
    if len(images) < MIN_IMAGES:
        raise UsageError(f"{len(images)} images are too few: give at least {MIN_IMAGES}")
    return images


def _blocks(images: RGB) -> Iterator[RGB]:
    for start in range(0, len(images), BLOCK):
        yield images[start : start + BLOCK]


# --- The real images -----------------------------------------------------------------------------


def order(dataset: Dataset) -> NDArray[np.int64]:
    """Return the numbers of all images in the order of chance in which they are taken."""
    return np.random.default_rng((SEED, 0)).permutation(len(dataset))


def real_images(dataset: Dataset, count: int, readable: list[bool]) -> Iterator[RGB]:
    """Yield ``count`` images in blocks (k, 162, 162, 3) uint8 RGB, in an order by chance.

    The order follows from a fixed seed and the number of files. In place of a broken one comes the
    next; there may not be so many. ``readable`` grows by a bool for each file looked at. Raises
    `DatasetError` for fewer than `MIN_IMAGES`.
    """
    numbers = order(dataset).tolist()
    with ThreadPoolExecutor(dataset.workers) as pool:
        while sum(readable) < count and len(readable) < len(dataset):
            start = len(readable)
            indices = numbers[start : start + min(BLOCK, count - sum(readable))]
            decoded = list(pool.map(partial(_image, dataset), indices))
            readable += [image is not None for image in decoded]
            block = [image for image in decoded if image is not None]
            if block:
                yield np.stack(block)
    if sum(readable) < MIN_IMAGES:
        raise DatasetError(
            f"{dataset.directory} has {sum(readable)} images that can be read, too few to compare "
            f"with: give a folder of at least {MIN_IMAGES}"
        )


def _image(dataset: Dataset, index: int) -> RGB | None:
    try:
        return dataset.image(index)
    except DatasetError:
        return None


def _cache_key(
    dataset: Dataset, count: int, network: features.Network, recognition: faces.File | None
) -> str:
    file = faces.model_file(faces.EMBEDDING_FILE, recognition)
    parts = {
        "images": dataset.hash,
        "fit": dataset.fit,
        "count": count,
        "seed": SEED,
        "values": _SEEN,
        "network": network.description,
        "recognition": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    return json.dumps(parts, sort_keys=True)


def _read_cache(path: Path, key: str) -> Seen | None:
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _CACHE_FORMAT:
                raise Error(f"{path} is no cache of real images: give another file")
            if metadata.get("key") != key:
                return None
            tensors = {name: file.get_tensor(name) for name in _SEEN}
    except (SafetensorError, OSError) as error:
        raise Error(f"{path} is no cache of real images: {error}: give another file") from error
    return Seen(**tensors)


def _write_cache(path: Path, key: str, seen: Seen) -> None:
    content = storage.encode_tensors(asdict(seen), {"format": _CACHE_FORMAT, "key": key})
    try:
        storage.write_atomically(path, content)
    except OSError as error:
        raise Error(
            f"cannot write the cache {path}: {storage.reason(error)}; make room or give another "
            "file"
        ) from error


# --- The table -----------------------------------------------------------------------------------


def table(result: dict[str, Any]) -> str:
    """Return what `evaluate` found as lines of text for people."""
    samples, real, how = result["samples"], result["real"], result["measured_with"]
    last = samples["first_seed"] + samples["count"] - 1
    discriminator, wasserstein = result["discriminator"], result["sliced_wasserstein"]
    kernel, identities = result["kernel_distance"], result["identities"]
    which = "first draws" if not samples["candidates"] else "candidates taken"
    lines = [
        f"samples     {samples['count']} {which} of seeds {samples['first_seed']} to {last}, "
        f"model {samples['model_hash'][:12]}",
        f"real        {real['count']} of {real['images']} images in {real['directory']} "
        f"({real['fit']}, {real['broken']} broken)",
        f"features    {how['network']}",
        f"identities  {how['identities']}",
        "",
    ]
    rows: list[tuple[str, str, str]] = [
        ("", "samples", "real"),
        ("Frechet distance", f"{result['frechet_distance']:.2f}", ""),
        ("kernel distance (KID) x 1000", f"{1000 * kernel['value']:.2f}", ""),
        ("  its standard error", f"{1000 * kernel['standard_error']:.2f}", ""),
        ("precision", f"{result['precision']:.3f}", ""),
        ("recall", f"{result['recall']:.3f}", ""),
    ]
    for side, distance in wasserstein.items():
        level = side if side == "mean" else f"{side} pixels"
        rows.append((f"sliced Wasserstein x 1000, {level}", f"{distance:.2f}", ""))
    ratio = result["sharpness"]["ratio"]
    rows.append(("sharpness", "-" if ratio is None else f"{ratio:.3f}", "1"))

    def both(label: str, values: dict[str, float], digits: int = 3) -> None:
        rows.append((label, f"{values['samples']:.{digits}f}", f"{values['real']:.{digits}f}"))

    both("share with a face found", result["faces_found"])
    for label, key in (
        ("distance of two identities, mean", "mean"),
        ("distance of two identities, deviation", "deviation"),
        (f"pairs nearer than {faces.SAME_PERSON}", "below"),
    ):
        both(label, {name: identities[name][key] for name in identities})
    for group in result["groups"]["real"]:
        label = "heads turned" if group == "turned" else f"skin {group}"
        both(label, {name: found[group] for name, found in result["groups"].items()})
    both("discriminator's mean score", discriminator["mean_score"], 2)
    both(f"score above {discriminator['threshold']:g}", discriminator["accepted"])
    tries = "mean tries" if samples["candidates"] else "mean tries of a search, expected"
    rows.append((tries, f"{discriminator['mean_tries']:.2f}", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines += [
        f"{label:<{widths[0]}}  {ours:>{widths[1]}}  {theirs:>{widths[2]}}".rstrip()
        for label, ours, theirs in rows
    ]
    return "\n".join(lines)
