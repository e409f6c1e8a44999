# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache of search results, so that a slider does not repeat the search at each position."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from ffgan.control import ControlledFace
from ffgan.typing import Float32

# 4 MB: a latent is 400 bytes, Python's objects around it and its key 600 more.
CACHED_SEARCHES = 4096


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found: ``latent`` is (100,) float32, ``tries`` the draws that it took.

    ``face`` is there where something was asked of it.
    """

    latent: Float32
    tries: int
    face: ControlledFace | None = None


class SearchCache:
    """The ``capacity`` most recently used search results; any number of threads may use it."""

    def __init__(self, capacity: int = CACHED_SEARCHES) -> None:
        self._capacity = capacity
        self._results: OrderedDict[Hashable, SearchResult] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, search: Hashable) -> SearchResult | None:
        with self._lock:
            result = self._results.get(search)
            if result is not None:
                self._results.move_to_end(search)
            return result

    def add(self, search: Hashable, result: SearchResult) -> None:
        with self._lock:
            self._results[search] = result
            self._results.move_to_end(search)
            if len(self._results) > self._capacity:
                self._results.popitem(last=False)
