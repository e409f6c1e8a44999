# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an engine computes what ffgan computes, to within float32 and another order of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import BenchmarkError
from benchmarks.output.rows import Kind

# generator: on images in 0..1. discriminator: by the largest logit. classifier: on probabilities.
# train: by the losses, of which G's comes after two updates by Adam, whose first steps follow the
# sign of rounding errors.
TOLERANCES: dict[Kind, float] = {
    "generator": 1e-3,
    "discriminator": 1e-3,
    "classifier": 1e-4,
    "draw": 1e-3,
    "train": 3e-2,
    "recipe": 3e-2,
}
# Of what rounds the operands of products to 8 bits, again without its share of luck.
BF16_TOLERANCES: dict[Kind, float] = {"generator": 0.1, "discriminator": 0.1}
# Half a pixel value more.
UINT8_TOLERANCE = 1e-3 + 0.5 / 255


def difference(
    kind: Kind, ours: NDArray[Any], theirs: NDArray[Any], uint8: bool, precision: str = "f32"
) -> float:
    """The largest difference. Raises `BenchmarkError` when it is beyond the tolerance."""
    if ours.shape != theirs.shape:
        raise BenchmarkError(f"its output is {theirs.shape}, not {ours.shape}")
    distances = np.abs(ours.astype(np.float64) - theirs)
    if kind in ("discriminator", "draw"):
        distances /= np.abs(ours).max()
    elif kind in ("train", "recipe"):
        distances /= np.abs(ours)
    found = float(distances.max())
    tolerance = UINT8_TOLERANCE if uint8 else TOLERANCES[kind]
    if precision == "bf16":
        tolerance = BF16_TOLERANCES[kind]
    if not found <= tolerance:
        raise BenchmarkError(
            f"it computes something else: {found:.2g} from ffgan's, more than {tolerance:g}"
        )
    return found
