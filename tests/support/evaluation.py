# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of images that are measured with few patches, and what the networks need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ffgan import evaluation, features
from ffgan.errors import ExtraError
from ffgan.evaluation import Measured, NetworkOutputs, measurement
from ffgan.faces import dlib_files
from ffgan.features import efficientnet, imagenet
from ffgan.typing import RGB


def need_feature_networks() -> None:
    """Skip the test where a network is not installed."""
    for name in features.NAMES:
        try:
            features.load(name)
        except ExtraError as error:
            pytest.skip(str(error))


@contextlib.contextmanager
def patches(number: int = 1024) -> Iterator[None]:
    """As if so many patches were compared: all of them take 10 seconds for any number of images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "PATCHES", number)
        yield


def measured(images: RGB, network: str = "imagenet", number: int = 1024) -> Measured:
    """The images measured, with so many patches."""
    blocks = iter(np.array_split(images, 2))
    with patches(number), remembered():
        return evaluation.measure(blocks, len(images), features.load(network))


@contextlib.contextmanager
def without(package: str) -> Iterator[None]:
    """As if the package were not installed."""
    found = efficientnet.find_spec
    with pytest.MonkeyPatch.context() as patch:
        for module in (efficientnet, dlib_files):
            patch.setattr(
                module, "find_spec", lambda name: None if name == package else found(name)
            )
        imagenet.load_session.cache_clear()
        yield
    imagenet.load_session.cache_clear()


_REMEMBERED: dict[tuple[str, bytes], NetworkOutputs] = {}


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """As usual, but the networks look at no image a second time in this process."""
    compute = measurement._outputs

    def outputs(block: RGB, network: features.Network, recognition: Any) -> NetworkOutputs:
        keys = [(f"{network.name} {recognition}", image.tobytes()) for image in block]
        new = [place for place, key in enumerate(keys) if key not in _REMEMBERED]
        if new:
            found = compute(block[new], network, recognition)
            for row, place in enumerate(new):
                values = [getattr(found, name)[row : row + 1] for name in measurement.OUTPUT_NAMES]
                _REMEMBERED[keys[place]] = NetworkOutputs(*values)
        rows = [_REMEMBERED[key] for key in keys]
        return NetworkOutputs(
            *(
                np.concatenate([getattr(row, name) for row in rows])
                for name in measurement.OUTPUT_NAMES
            )
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "_outputs", outputs)
        yield
