# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of the package's signatures; shapes and units of arrays stand in each docstring."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RGB: TypeAlias = NDArray[np.uint8]  # (..., rows, columns, 3), red first
Points: TypeAlias = NDArray[np.int64]  # (..., 2): x, y in pixels
UInt8: TypeAlias = NDArray[np.uint8]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]
Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""
