# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of many samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Summary:
    median: float
    p10: float
    p90: float
    least: float
    most: float
    samples: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Summary:
        p10, median, p90 = np.percentile(samples, (10, 50, 90))
        return cls(float(median), float(p10), float(p90), min(samples), max(samples), len(samples))

    def scaled(self, factor: float) -> Summary:
        return Summary(
            self.median * factor,
            self.p10 * factor,
            self.p90 * factor,
            self.least * factor,
            self.most * factor,
            self.samples,
        )
