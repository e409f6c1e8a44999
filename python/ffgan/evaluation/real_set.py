# SPDX-License-Identifier: GPL-3.0-or-later
"""The real images of an evaluation: which ones, and a cache of the networks' outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

from ffgan import faces, features, images, storage
from ffgan.dataset import Dataset
from ffgan.errors import DatasetError, Error, UnavailableError, UsageError
from ffgan.evaluation.measurement import OUTPUT_NAMES, SEED, NetworkOutputs
from ffgan.model import empty_images
from ffgan.ranks import Ranks, met
from ffgan.typing import RGB, Int64

MIN_IMAGES: Final = 16
BLOCK: Final = 64  # images in memory at a time

_CACHE_FORMAT: Final = "ffgan real images 1"


def order(dataset: Dataset) -> Int64:
    """Return the numbers of all images in the random order in which they are taken."""
    return np.random.default_rng((SEED, 0)).permutation(len(dataset))


def real_images(dataset: Dataset, count: int, readable: list[bool]) -> Iterator[RGB]:
    """Yield ``count`` images in blocks (k, 162, 162, 3) uint8 RGB, in a random order.

    Raises as `real_blocks`, whose images they are.
    """
    for _, block in real_blocks(dataset, count, readable):
        if len(block):
            yield block


def real_blocks(
    dataset: Dataset, count: int, readable: list[bool], ranks: Ranks | None = None
) -> Iterator[tuple[int, RGB]]:
    """Yield this rank's part of ``count`` images in blocks, and the place of the first in all.

    A block is (k, 162, 162, 3) uint8 RGB. The order is random, and follows from a fixed seed and
    the number of files. A broken one is replaced by the next; there may be fewer. Each of ``ranks``
    reads one of as many blocks, and gets it with the others; it is empty where there was none to be
    read. ``readable`` grows by a bool for each file that any of them has read. Raises
    `DatasetError` for fewer than `MIN_IMAGES`.
    """
    together = Ranks() if ranks is None else ranks
    numbers = order(dataset).tolist()
    # The same ones for any number of ranks, so that sums have the same bytes.
    size = min(BLOCK, count)
    with ThreadPoolExecutor(dataset.workers) as pool:
        try:
            while sum(readable) < count and len(readable) < len(dataset):
                first = len(readable) + together.number * size
                decoded: list[RGB | None] = []

                def read(first: int = first, decoded: list[RGB | None] = decoded) -> list[bool]:
                    decoded += pool.map(partial(_image, dataset), numbers[first : first + size])
                    return [image is not None for image in decoded]

                found = together.every(read)
                place = sum(readable) + sum(map(sum, found[: together.number]))
                block = [image for image in decoded if image is not None][: max(0, count - place)]
                readable += _until_enough(chain(*found), count - sum(readable))
                yield place, np.stack(block) if block else empty_images(0)
        except (Exception, KeyboardInterrupt, SystemExit):
            # The threads end now: after Ctrl+C nobody waits for a drive that is away.
            dataset.availability.give_up()
            raise
    if sum(readable) < MIN_IMAGES:
        raise met(
            DatasetError(
                f"{dataset.directory} has {sum(readable)} images that can be read, too few to "
                f"compare with: give a folder of at least {MIN_IMAGES}"
            )
        )


def _until_enough(flags: Iterable[bool], wanted: int) -> Iterator[bool]:
    """The flags up to that with which so many are set, or all."""
    for flag in flags:
        if wanted <= 0:
            return
        wanted -= flag
        yield flag


def _image(dataset: Dataset, index: int) -> RGB | None:
    try:
        return dataset.image(index)
    except DatasetError:
        return None


def cache_key(
    dataset: Dataset, count: int, network: features.Network, recognition: faces.File | None
) -> str:
    """Return what the network outputs of ``count`` real images depend on, as text."""
    file = faces.model_file(faces.EMBEDDING_FILE, recognition)
    parts = {
        "images": dataset.hash,
        "fit": dataset.fit,
        # Caches of earlier versions, which ignored colours, do not say so.
        **({} if dataset.colour == "ignore" else {"colour": dataset.colour}),
        "resizing": images.RESIZING,
        "count": count,
        "seed": SEED,
        "values": OUTPUT_NAMES,
        "network": network.description,
        "recognition": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    return json.dumps(parts, sort_keys=True)


def read_cache(path: Path, key: str) -> NetworkOutputs | None:
    """Return the outputs in a cache, None where it has other ones or is not there.

    Raises `Error` for any other file.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _CACHE_FORMAT:
                raise UsageError(f"{path} is no cache of real images: give another file")
            if metadata.get("key") != key:
                return None
            tensors = {name: file.get_tensor(name) for name in OUTPUT_NAMES}
    except OSError as error:
        raise UnavailableError(
            f"cannot read the cache {path}: {storage.reason(error)}; run the same command again "
            "once it can be read, or give another file"
        ) from error
    except SafetensorError as error:
        raise UsageError(
            f"{path} is no cache of real images: {error}: give another file"
        ) from error
    return NetworkOutputs(**tensors)


def write_cache(path: Path, key: str, outputs: NetworkOutputs) -> None:
    """Replace a cache; raises `Error`."""
    content = storage.encode_tensors(asdict(outputs), {"format": _CACHE_FORMAT, "key": key})
    try:
        storage.write_atomically(path, content)
    except OSError as error:
        raise Error(
            f"cannot write the cache {path}: {storage.reason(error)}; "
            + storage.way_out(error, "give another file")
        ) from error
