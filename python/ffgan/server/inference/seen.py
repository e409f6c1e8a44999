# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that were rendered last, and what was measured on them.

A slider asks for one attribute of the same face again and again: each time the search sets out from
the same draws, which need not be rendered and measured anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence

from ffgan.control.solver import Measure
from ffgan.model.candidate_search import Judged
from ffgan.typing import UInt8

CAPACITY = 128
"""10 MB."""


class Seen:
    """The ``capacity`` most recently used images; any number of threads may use it."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._judged: OrderedDict[Hashable, Judged] = OrderedDict()
        # By the identity of an image, which is kept as long as its values are.
        self._values: dict[int, dict[str, float]] = {}
        self._lock = threading.Lock()

    def get(self, latent: Hashable) -> Judged | None:
        with self._lock:
            judged = self._judged.get(latent)
            if judged is not None:
                self._judged.move_to_end(latent)
            return judged

    def add(self, latent: Hashable, judged: Judged) -> None:
        with self._lock:
            if (old := self._judged.pop(latent, None)) is not None:
                self._values.pop(id(old[0]), None)
            self._judged[latent] = judged
            if len(self._judged) > self._capacity:
                _, (image, _) = self._judged.popitem(last=False)
                self._values.pop(id(image), None)

    def measured(self, image: UInt8, columns: Sequence[str], measure: Measure) -> dict[str, float]:
        """What ``measure`` says of some columns of an image, asked once as long as it is kept."""
        with self._lock:
            known = self._values.get(id(image), {})
        missing = [column for column in columns if column not in known]
        if missing:
            known = {**known, **measure(image, missing)}
            with self._lock:
                if any(image is kept for kept, _ in self._judged.values()):
                    self._values[id(image)] = known
        return {column: known[column] for column in columns}
