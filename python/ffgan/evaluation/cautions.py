# SPDX-License-Identifier: GPL-3.0-or-later
"""What an evaluation's figures do not tell, in words that stand beside them."""

from __future__ import annotations

from typing import Final

MANY: Final = 2000
"""Below it the Frechet distance grows so fast as images get fewer that it says little by itself.

docs/evaluation.md has the distances of one model by the number of images.
"""


def cautions(samples: int, real: int) -> list[str]:
    """Return lines about figures of ``samples`` generated faces beside ``real`` images."""
    lines = []
    fewer = min(samples, real)
    if fewer < MANY:
        lines.append(
            f"{fewer:,} images are few: the Frechet and the sliced Wasserstein distance are biased "
            f"upwards, the more the fewer images, and precision and recall change with their "
            f"number; compare only figures of equal numbers, or the kernel distance, which is "
            "unbiased"
        )
    if samples != real:
        lines.append(
            f"{samples:,} samples stand beside {real:,} real images: compare only with figures of "
            "both these numbers"
        )
    return lines
