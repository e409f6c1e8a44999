# SPDX-License-Identifier: GPL-3.0-or-later
"""A small map of the packaged model: two attributes that need no landmarks, 200 faces."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ffgan import control
from ffgan.control.fitted_map import KEY
from ffgan.model import Model
from ffgan.typing import Float32, UInt8

COLUMNS = ("brightness", "background")


def coarse_pixels(images: UInt8) -> Float32:
    """In the place of dlib's embeddings, which a test without the extra has not."""
    return images[:, ::40, ::40].reshape(len(images), -1).astype(np.float32) / 255


@pytest.fixture(scope="session")
def packaged() -> Model:
    return Model.load()


@pytest.fixture(scope="session")
def small_map(packaged: Model) -> control.AttributeMap:
    return control.fit(packaged, samples=200, columns=COLUMNS, embed=coarse_pixels)


@pytest.fixture(scope="session")
def mapped(packaged: Model, small_map: control.AttributeMap) -> Model:
    model = copy.copy(packaged)
    model.metadata = {**packaged.metadata, KEY: small_map.encode()}
    return model
