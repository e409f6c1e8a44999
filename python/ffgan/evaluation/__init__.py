# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a model is: its samples beside real images, measured in numbers.

`evaluate` does it for a model and a folder, `compare` for two sets that were measured, `quick` for
two arrays of images and often. docs/evaluation.md explains the figures. Whatever is random follows
from fixed seeds, so the same images give the same figures.
"""

from __future__ import annotations

from ffgan.evaluation.comparison import (
    DEFAULT_FEATURES,
    Reference,
    compare,
    quick,
    quick_figures,
    reference,
    summarise,
)
from ffgan.evaluation.formatting import table
from ffgan.evaluation.measurement import SEED, Measured, NetworkOutputs, measure
from ffgan.evaluation.pipeline import DEFAULT_SAMPLES, MAX_SAMPLES, evaluate, expected_tries
from ffgan.evaluation.real_set import BLOCK, MIN_IMAGES, order, real_images

__all__ = [
    "BLOCK",
    "DEFAULT_FEATURES",
    "DEFAULT_SAMPLES",
    "MAX_SAMPLES",
    "MIN_IMAGES",
    "SEED",
    "Measured",
    "NetworkOutputs",
    "Reference",
    "compare",
    "evaluate",
    "expected_tries",
    "measure",
    "order",
    "quick",
    "quick_figures",
    "real_images",
    "reference",
    "summarise",
    "table",
]
