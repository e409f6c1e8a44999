# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the threads of OpenBLAS sleep from the start, where they will have nothing to do.

OpenBLAS starts a thread for each further core when it is loaded, and they spin for a tenth of a
second before they sleep. A process may hold three: the extension's, NumPy's and OpenCV's. On two
cores they make the first face a fifth slower. The engine has threads of its own and calls OpenBLAS
with one, so nothing ever wakes those of the extension's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

VARIABLE = "OPENBLAS_THREAD_TIMEOUT"
"""Read by OpenBLAS when it is loaded: log2 of the clock ticks for which an idle thread spins."""

LEAST = "4"


@contextlib.contextmanager
def sleeping_threads() -> Iterator[None]:
    """Within it the threads of an OpenBLAS that is loaded do not spin, unless the user decided."""
    if VARIABLE in os.environ:
        yield
        return
    os.environ[VARIABLE] = LEAST
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
